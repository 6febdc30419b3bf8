import * as https from "node:https";
import { parse } from "yaml";
import { z } from "zod";

const base64 = z.string().transform((text) => Buffer.from(text, "base64"));

/** The form of a kubeconfig from K3s: one cluster, and one user with a client certificate. */
const kubeconfigSchema = z.object({
  clusters: z.tuple([z.object({ cluster: z.object({ server: z.url(), "certificate-authority-data": base64 }) })]),
  users: z.tuple([z.object({ user: z.object({ "client-certificate-data": base64, "client-key-data": base64 }) })]),
});

export interface Answer {
  readonly status: number;
  /** The server's clock. */
  readonly at: Date;
  /** Parsed JSON; undefined if it is not JSON. */
  readonly body: unknown;
}

/** The few requests that the program sends to the cluster itself. Everything that it creates goes through the provider. */
export class KubernetesApi {
  private constructor(
    private readonly server: URL,
    private readonly options: https.RequestOptions,
  ) {}

  /** Uses the rights of a kubeconfig; undefined if it has another form than K3s'. */
  static of(kubeconfig: string): KubernetesApi | undefined {
    const read = readKubeconfig(kubeconfig);
    if (read === undefined) return undefined;
    const { cluster } = read.clusters[0];
    const { user } = read.users[0];
    return new KubernetesApi(new URL(cluster.server), {
      ca: cluster["certificate-authority-data"],
      cert: user["client-certificate-data"],
      key: user["client-key-data"],
      timeout: 10_000,
      // Each request has its own connection, so that an open one does not delay the end of the program.
      agent: false,
    });
  }

  /**
   * Reads an object, to explain a failure.
   * @returns undefined if the API does not have it, or does not answer
   */
  async find(path: string): Promise<unknown> {
    const answer = await this.request("GET", path).catch(() => undefined);
    return answer?.status === 200 ? answer.body : undefined;
  }

  /**
   * One request.
   * @param path with its query, `/api/v1/…`
   * @param body sent as JSON
   * @returns the answer, whatever its status
   * @throws Error if there is no answer
   */
  request(method: "GET" | "DELETE", path: string, body?: unknown): Promise<Answer> {
    const sent = body === undefined ? undefined : Buffer.from(JSON.stringify(body));
    // Without its length, Node sends the body of a DELETE as if it were the next request.
    const content = sent && { "content-type": "application/json", "content-length": sent.length };
    const headers = { accept: "application/json", ...content };
    return new Promise((resolve, reject) => {
      const request = https.request(new URL(path, this.server), { ...this.options, method, headers }, (response) => {
        const parts: Buffer[] = [];
        response.on("data", (part: Buffer) => parts.push(part)).on("error", reject);
        response.on("end", () => {
          const at = new Date(response.headers.date ?? Date.now());
          resolve({ status: response.statusCode ?? 0, at, body: parsed(Buffer.concat(parts).toString()) });
        });
      });
      request.on("timeout", () => request.destroy(new Error("the API does not answer")));
      request.on("error", reject).end(sent);
    });
  }
}

/** The parser's error would show lines of the kubeconfig. */
function readKubeconfig(text: string): z.output<typeof kubeconfigSchema> | undefined {
  try {
    return kubeconfigSchema.safeParse(parse(text)).data;
  } catch {
    return undefined;
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
