import * as https from "node:https";
import { parse } from "yaml";

/** A kubeconfig as K3s writes it: one cluster, one user with a client certificate. */
interface Kubeconfig {
  readonly clusters: readonly [
    { readonly cluster: { readonly server: string; readonly "certificate-authority-data": string } },
  ];
  readonly users: readonly [
    { readonly user: { readonly "client-certificate-data": string; readonly "client-key-data": string } },
  ];
}

/** How long the API may take, in milliseconds. */
const LIMIT = 10_000;

/**
 * Asks the API for an object.
 * @param path for example `/api/v1/namespaces/default`
 * @returns undefined if the API does not answer, or does not have it
 */
export async function getObject(kubeconfig: string, path: string): Promise<unknown> {
  try {
    const { clusters, users } = parse(kubeconfig) as Kubeconfig;
    const [{ cluster }] = clusters;
    const [{ user }] = users;
    const pem = (data: string): Buffer => Buffer.from(data, "base64");
    const options = {
      ca: pem(cluster["certificate-authority-data"]),
      cert: pem(user["client-certificate-data"]),
      key: pem(user["client-key-data"]),
      timeout: LIMIT,
    };
    return JSON.parse(await get(new URL(path, cluster.server), options)) as unknown;
  } catch {
    return undefined;
  }
}

function get(url: URL, options: https.RequestOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = https.get(url, options, (response) => {
      let text = "";
      response.setEncoding("utf8").on("data", (part: string) => (text += part));
      response.on("error", reject).on("end", () => {
        if (response.statusCode === 200) resolve(text);
        else reject(new Error(`status ${response.statusCode}`));
      });
    });
    request.on("timeout", () => request.destroy(new Error("no answer"))).on("error", reject);
  });
}
