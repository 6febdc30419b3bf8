import * as https from "node:https";

export interface Answer {
  status: number;
  /** Reason phrase of the status line. */
  reason: string;
  headers: Record<string, string | string[] | undefined>;
  /** The parsed body. */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- differs by endpoint; tests look into it
  body: { data?: any; message?: string; errors?: Record<string, string>; total?: number };
}

/** Form fields; an array is sent as a field repeated. */
export type Fields = Record<string, string | number | readonly string[]>;

/** A plain client of the API, without retries. */
export class PveClient {
  constructor(
    private readonly url: string,
    private readonly ca: string,
    private readonly headers: Record<string, string> = {},
  ) {}

  get(path: string, fields: Fields = {}): Promise<Answer> {
    return this.request("GET", path, fields);
  }

  post(path: string, fields: Fields = {}): Promise<Answer> {
    return this.request("POST", path, fields);
  }

  put(path: string, fields: Fields = {}): Promise<Answer> {
    return this.request("PUT", path, fields);
  }

  delete(path: string, fields: Fields = {}): Promise<Answer> {
    return this.request("DELETE", path, fields);
  }

  postJson(path: string, body: unknown): Promise<Answer> {
    return this.send("POST", path, JSON.stringify(body), "application/json");
  }

  /** Uploads a file as a browser does: the fields first, then the file in its own field. */
  async upload(
    path: string,
    fields: Record<string, string>,
    file: { readonly field: string; readonly name: string; readonly content: Buffer },
  ): Promise<Answer> {
    const form = new FormData();
    for (const [key, value] of Object.entries(fields)) form.append(key, value);
    form.append(file.field, new Blob([new Uint8Array(file.content)]), file.name);
    const encoded = new Response(form);
    return this.send("POST", path, Buffer.from(await encoded.arrayBuffer()), encoded.headers.get("content-type")!);
  }

  /** Waits for a task and returns its exit status. */
  async task(upid: string): Promise<string> {
    for (;;) {
      const { body } = await this.get(`/nodes/pve/tasks/${encodeURIComponent(upid)}/status`);
      if (body.data?.status === "stopped") return body.data.exitstatus as string;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  }

  /** Starts a task and waits for it. @throws Error if the request was refused or the task failed */
  async run(answer: Promise<Answer>): Promise<string> {
    const { status, reason, body } = await answer;
    if (status !== 200) throw new Error(`${status} ${reason} ${JSON.stringify(body.errors ?? {})}`);
    return this.task(body.data as string);
  }

  /** Lines of a task's log. */
  async log(upid: string): Promise<string[]> {
    const { body } = await this.get(`/nodes/pve/tasks/${encodeURIComponent(upid)}/log`, { limit: 500 });
    return (body.data as { t: string }[]).map(({ t }) => t);
  }

  request(method: string, path: string, fields: Fields = {}): Promise<Answer> {
    const form = new URLSearchParams();
    for (const [key, value] of Object.entries(fields))
      for (const item of Array.isArray(value) ? value : [value]) form.append(key, String(item));
    const inBody = method === "POST" || method === "PUT";
    const query = !inBody && form.size > 0 ? `?${form.toString()}` : "";
    return this.send(method, path + query, inBody ? form.toString() : "", "application/x-www-form-urlencoded");
  }

  private send(method: string, path: string, body: string | Buffer, type: string): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const request = https.request(
        `${this.url}/api2/json${path}`,
        {
          method,
          ca: this.ca,
          minVersion: "TLSv1.3",
          headers: { accept: "application/json", ...(body.length > 0 && { "content-type": type }), ...this.headers },
        },
        (response) => {
          let text = "";
          response.setEncoding("utf8");
          response.on("data", (chunk: string) => (text += chunk));
          response.on("end", () =>
            resolve({
              status: response.statusCode ?? 0,
              reason: response.statusMessage ?? "",
              headers: response.headers,
              body: JSON.parse(text) as Answer["body"],
            }),
          );
          response.on("error", reject);
        },
      );
      request.on("error", reject);
      request.end(body);
    });
  }
}
