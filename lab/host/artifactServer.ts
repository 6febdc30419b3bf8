import * as fs from "node:fs";
import * as http from "node:http";
import * as https from "node:https";
import * as path from "node:path";
import { pipeline } from "node:stream";

export interface Listen {
  readonly host: string;
  readonly port: number;
  /** Certificate and key, for HTTPS. */
  readonly tls?: { readonly cert: Buffer; readonly key: Buffer };
}

/**
 * Serves the files of a folder over HTTP or HTTPS, GET and HEAD only, as a static release mirror does.
 *
 * Anything that is no file below the folder is a 404. Resolves when it listens.
 */
export function serveFolder(folder: string, { host, port, tls }: Listen): Promise<http.Server> {
  const answer: http.RequestListener = (request, response) => {
    const refuse = (status: number) => response.writeHead(status).end();
    if (request.method !== "GET" && request.method !== "HEAD") return refuse(405);
    const file = fileOf(folder, request.url ?? "/");
    if (!file) return refuse(404);
    response.writeHead(200, { "content-type": "application/octet-stream", "content-length": fs.statSync(file).size });
    if (request.method === "HEAD") return response.end();
    return pipeline(fs.createReadStream(file), response, () => {});
  };
  const server = tls ? https.createServer(tls, answer) : http.createServer(answer);
  return new Promise((resolve, reject) => {
    server.once("error", reject);
    server.listen(port, host, () => resolve(server));
  });
}

function fileOf(folder: string, url: string): string | undefined {
  try {
    const real = fs.realpathSync(path.join(folder, decodeURIComponent(new URL(url, "http://lab").pathname)));
    return real.startsWith(`${folder}/`) && fs.statSync(real).isFile() ? real : undefined;
  } catch {
    return undefined;
  }
}
