import { execFile } from "node:child_process";
import * as path from "node:path";

import { advice, readAdvice } from "../remote/advice";

/** Root on the Proxmox host, over the user's own SSH client and its configuration. */
export class AdminShell {
  private readonly ssh: readonly string[];

  /** @throws Error if the target cannot be a host */
  constructor(
    ssh: string,
    private readonly target: string,
  ) {
    // ssh would read it as an option.
    if (!/^[^-\s]\S*$/.test(target))
      throw new Error(advice(`"${target}" is not the name or address of a host`, "name the Proxmox host: root@HOST"));
    this.ssh = ssh.split(/\s+/).filter(Boolean);
  }

  run(command: string, input = ""): Promise<string> {
    return this.exec([this.target, command], input, ({ stdout, stderr }) => stdout + stderr);
  }

  /**
   * Runs a script once all of it has arrived. Its output may contain a secret, so no error shows it.
   * @param onLine is given each line of the output at once
   * @throws Error with the script's own cause and next step
   */
  script(text: string, onLine?: (line: string) => void): Promise<string> {
    return this.exec([this.target, 'sh -c "$(cat)" proxmox-k3s-init </dev/null'], text, ({ stderr }) => stderr, onLine);
  }

  /** Address and port of the host. Its name may come from the user's SSH configuration. */
  async resolve(): Promise<{ address: string; port: number }> {
    const settings = await this.exec(["-G", this.target], "", ({ stderr }) => stderr);
    const value = (key: string): string | undefined => new RegExp(`^${key} (\\S+)$`, "m").exec(settings)?.[1];
    return { address: value("hostname") ?? path.basename(this.target), port: Number(value("port") ?? 22) };
  }

  private exec(
    args: readonly string[],
    input: string,
    said: (output: { stdout: string; stderr: string }) => string,
    onLine?: (line: string) => void,
  ): Promise<string> {
    const [command = "ssh", ...options] = this.ssh;
    return new Promise((resolve, reject) => {
      const child = execFile(command, [...options, ...args], { maxBuffer: 1 << 24 }, (error, stdout, stderr) => {
        if (!error) return resolve(stdout.trimEnd());
        const own = readAdvice(stderr);
        const login = `check that you can log in as root: ssh ${this.target}`;
        const cause = said({ stdout, stderr }).trim() || (error.code === "ENOENT" ? error.message : "it failed");
        const message =
          own.cause !== undefined && own.next !== undefined
            ? advice(own.cause, own.next)
            : advice(`${this.target}: ${cause}`, login);
        reject(new Error(message, { cause: error }));
      });
      child.stdin?.on("error", () => {}); // it may end without reading
      child.stdin?.end(input);
      if (onLine) eachLine(child.stdout, onLine);
    });
  }
}

function eachLine(stream: NodeJS.ReadableStream | null, onLine: (line: string) => void): void {
  let rest = "";
  stream?.on("data", (data: Buffer | string) => {
    const lines = (rest + data.toString()).split("\n");
    rest = lines.pop() ?? "";
    lines.forEach(onLine);
  });
}
