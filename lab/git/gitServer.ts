import { spawn } from "node:child_process";
import * as fs from "node:fs";
import type * as http from "node:http";
import * as https from "node:https";
import type { AddressInfo } from "node:net";
import * as os from "node:os";
import * as path from "node:path";

import { run } from "../host/run";
import { selfSigned } from "../support/selfSigned";

/** Keeps git from reading this machine's config. */
const GIT_ENV = {
  ...process.env,
  GIT_CONFIG_GLOBAL: "/dev/null",
  GIT_CONFIG_NOSYSTEM: "1",
  ...{ GIT_AUTHOR_NAME: "lab", GIT_AUTHOR_EMAIL: "lab@example.org" },
  ...{ GIT_COMMITTER_NAME: "lab", GIT_COMMITTER_EMAIL: "lab@example.org" },
};
const git = (cwd: string, ...args: string[]): Promise<string> => run("git", args, { cwd, env: GIT_ENV });

/**
 * A Git server over HTTPS with a self-signed certificate: git's `http-backend`, which speaks the smart HTTP protocol as hosted
 * servers do. It serves fetches only; pushes go to a path on this machine.
 */
export class GitServer {
  private readonly repositories = new Map<string, { readonly token?: string }>();
  /** Number of requests that it refused. */
  refused = 0;

  private constructor(
    private readonly server: https.Server,
    private readonly address: string,
    /** PEM certificate of its CA. */
    readonly ca: string,
    private readonly folder: string,
  ) {
    server.on("request", (request: http.IncomingMessage, response: http.ServerResponse) =>
      this.answer(request, response),
    );
  }

  /** @param address an address of this machine that clients can reach */
  static async start(address: string): Promise<GitServer> {
    const { cert, key } = selfSigned({ name: "the lab's Git server", altNames: `IP:${address}` });
    const server = https.createServer({ cert, key });
    await new Promise<void>((resolve, reject) => server.once("error", reject).listen(0, address, resolve));
    return new GitServer(server, address, cert, fs.mkdtempSync(path.join(os.tmpdir(), "git-server-")));
  }

  /**
   * Makes an empty repository.
   * @param token that a client must have as its password; undefined for a public one
   */
  async repository(name: string, token?: string): Promise<GitWorkTree> {
    const bare = path.join(this.folder, `${name}.git`);
    await git(this.folder, "init", "--quiet", "--bare", "--initial-branch=main", bare);
    const work = path.join(this.folder, `${name}.work`);
    await git(this.folder, "init", "--quiet", "--initial-branch=main", work);
    await git(work, "remote", "add", "origin", bare);
    this.repositories.set(`${name}.git`, token === undefined ? {} : { token });
    const { port } = this.server.address() as AddressInfo;
    return new GitWorkTree(work, `https://${this.address}:${port}/${name}.git`, bare);
  }

  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
    fs.rmSync(this.folder, { recursive: true });
  }

  private answer(request: http.IncomingMessage, response: http.ServerResponse): void {
    const { pathname, search } = new URL(request.url ?? "/", "https://git");
    const repository = this.repositories.get(pathname.split("/")[1] ?? "");
    if (repository === undefined) return void response.writeHead(404).end();
    if (repository.token !== undefined && passwordOf(request) !== repository.token) {
      this.refused += 1;
      return void response.writeHead(401, { "www-authenticate": 'Basic realm="git"' }).end();
    }
    const { headers } = request;
    const backend = spawn("git", ["http-backend"], {
      stdio: ["pipe", "pipe", "inherit"],
      // The CGI protocol (RFC 3875), as far as git-http-backend(1) reads it.
      env: {
        ...GIT_ENV,
        GIT_PROJECT_ROOT: this.folder,
        GIT_HTTP_EXPORT_ALL: "1",
        PATH_INFO: pathname,
        QUERY_STRING: search.slice(1),
        REQUEST_METHOD: request.method,
        CONTENT_TYPE: headers["content-type"] ?? "",
        HTTP_CONTENT_ENCODING: headers["content-encoding"] ?? "",
        GIT_PROTOCOL: String(headers["git-protocol"] ?? ""),
      },
    });
    backend.stdin.on("error", () => {});
    request.pipe(backend.stdin);
    const parts: Buffer[] = [];
    backend.stdout.on("data", (part: Buffer) => parts.push(part));
    backend.on("error", () => response.writeHead(500).end());
    backend.on("close", () => sendCgi(Buffer.concat(parts), response));
  }
}

/** Sends what a CGI program wrote: its headers, an empty line, and the body. */
function sendCgi(output: Buffer, response: http.ServerResponse): void {
  const end = output.indexOf("\r\n\r\n");
  if (end < 0) return void response.writeHead(500).end();
  const headers = output
    .subarray(0, end)
    .toString()
    .split("\r\n")
    .map((line) => line.split(": ", 2) as [string, string]);
  const status = headers.find(([name]) => name === "Status")?.[1] ?? "200";
  const others = headers.filter(([name]) => name !== "Status");
  response.writeHead(Number.parseInt(status), Object.fromEntries(others)).end(output.subarray(end + 4));
}

/** The password of HTTP basic authentication; any user name is accepted. */
function passwordOf({ headers }: http.IncomingMessage): string | undefined {
  const basic = /^Basic (\S+)$/.exec(headers.authorization ?? "")?.[1];
  return basic === undefined
    ? undefined
    : Buffer.from(basic, "base64")
        .toString()
        .replace(/^[^:]*:/, "");
}

/** A work tree of a repository, which pushes each change at once. */
export class GitWorkTree {
  constructor(
    readonly folder: string,
    readonly url: string,
    /** Path of the server's repository. */
    readonly bare: string,
  ) {}

  /**
   * Writes files, or removes them, and pushes the commit.
   * @param files text by path; undefined removes the file or the folder
   * @returns the commit
   */
  async push(files: Readonly<Record<string, string | undefined>>): Promise<string> {
    for (const [name, text] of Object.entries(files)) {
      const file = path.join(this.folder, name);
      if (text === undefined) fs.rmSync(file, { recursive: true });
      else {
        fs.mkdirSync(path.dirname(file), { recursive: true });
        fs.writeFileSync(file, text);
      }
    }
    await git(this.folder, "add", "--all");
    await git(this.folder, "commit", "--quiet", "--message", Object.keys(files).join(", "));
    await git(this.folder, "push", "--quiet", "origin", "main");
    return (await git(this.folder, "rev-parse", "HEAD")).trim();
  }
}
