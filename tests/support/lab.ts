import { execFile, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { parse, stringify } from "yaml";
import { labPaths } from "../../lab/lab";
import { readExchangeLog } from "../../lab/pve/http/exchangeLog";
import { stackFile } from "../../lab/stack";
import { assertOfficial } from "./pveSchema";
import { killTree } from "./processTree";
import { type PulumiResult, readResult } from "./pulumiResult";

const repo = path.join(__dirname, "../..");
const CLUSTER = "proxmox-k3s:cluster";

export interface Finished {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command to its end, whatever its exit code. */
export function finish(
  command: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv,
  input = "",
): Promise<Finished> {
  return new Promise((resolve) => {
    const child = execFile(command, args, { cwd: repo, env, maxBuffer: 1 << 28 }, (error, stdout, stderr) => {
      const code = error ? (typeof error.code === "number" ? error.code : 1) : 0;
      resolve({
        code,
        stdout,
        stderr: error && typeof error.code !== "number" ? `${stderr}\n${error.message}` : stderr,
      });
    });
    child.stdin?.on("error", () => {});
    child.stdin?.end(input);
  });
}

/** Two checkouts can be tested on one machine at the same time: the prefix keeps their labs apart. */
const labPrefix = `t${createHash("sha256").update(repo).digest("hex").slice(0, 4)}`;

/** A lab for one suite, which runs it with the same commands as a person. */
export class Lab {
  private env: NodeJS.ProcessEnv = process.env;
  private isUp = false;
  /** Everything that the commands of this lab have printed; the secret scan reads it. */
  readonly transcript: string[] = [];

  readonly name: string;

  /** @param suite name of the suite; the lab's own name also has a prefix for this checkout */
  constructor(suite: string) {
    this.name = `${labPrefix}-${suite}`;
  }

  get stack(): string {
    return `lab-${this.name}`;
  }

  /**
   * `ssh` to the Proxmox host, without the host's name.
   * @param key a private key's file; the administrator's by default
   */
  ssh(key = `${labPaths(this.name).client}/host-key`): readonly [command: string, ...options: string[]] {
    const { knownHosts } = labPaths(this.name);
    return ["ssh", "-i", key, "-o", "IdentitiesOnly=yes", "-o", `UserKnownHostsFile=${knownHosts}`];
  }

  /** Starts the lab with the release or the stand-in, or with the K3s that `K3S_BINARY` names. @param options of `lab up` */
  async up(...options: string[]): Promise<void> {
    const binary = process.env["K3S_BINARY"];
    await this.cli("up", ...options, ...(binary ? ["--k3s", binary] : []));
    const exports = await this.cli("env");
    this.env = await evaluate(exports.stdout);
    this.isUp = true;
  }

  /**
   * Ends the lab. It can run twice, and after a failed `up`.
   *
   * @throws Error if an exchange with the API did not match the official schema
   */
  async down(): Promise<void> {
    const file = path.join(labPaths(this.name).logs, "exchanges.jsonl");
    const exchanges = fs.existsSync(file) ? readExchangeLog(file) : [];
    await this.cli("down");
    assertOfficial(exchanges);
    // `up` itself asks the API whether it answers.
    if (this.isUp && exchanges.length === 0) throw new Error("the lab's API has recorded no request");
    this.isUp = false;
  }

  /** `npm run -s lab -- COMMAND --name NAME ARGS…`; throws if it fails. */
  async cli(command: string, ...args: string[]): Promise<Finished> {
    const tsx = path.join(repo, "node_modules/.bin/tsx");
    const env = { ...this.env, PROXMOX_K3S_LAB_EXCHANGES: "1" };
    const result = await finish(tsx, ["lab/cli.ts", command, "--name", this.name, ...args], env);
    // `env` prints credentials, as it should.
    if (command !== "env") this.transcript.push(result.stdout, result.stderr);
    if (result.code !== 0)
      throw new Error(`lab ${command} ended with ${result.code}:\n${result.stdout}${result.stderr}`);
    return result;
  }

  /** Plain `pulumi` with the lab's environment. */
  async pulumi(...args: string[]): Promise<Finished> {
    const result = await finish("pulumi", [...args, "--non-interactive"], this.env);
    if (!args.includes("--show-secrets")) this.transcript.push(result.stdout, result.stderr);
    return result;
  }

  /** The same, with the result of its event log. */
  async pulumiResult(command: string, ...args: string[]): Promise<PulumiResult> {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), "lab-events-"));
    const events = path.join(folder, "events.json");
    const env = { ...this.env, PULUMI_DEBUG_COMMANDS: "true" };
    const all = [command, ...args, "--non-interactive", "--event-log", events];
    const { code, stdout, stderr } = await finish("pulumi", all, env);
    this.transcript.push(stdout, stderr);
    const result = readResult(code, stdout, stderr, events);
    fs.rmSync(folder, { recursive: true });
    return result;
  }

  /**
   * Runs `pulumi` and kills it with its plugins (SIGKILL) as soon as `moment` holds; scripts on machines run on.
   * @throws Error if it ended before that
   */
  async killed(moment: () => boolean, ...args: string[]): Promise<void> {
    await this.killedBut(undefined, moment, ...args);
  }

  /**
   * The same, but processes with `spared` in their command line live on. That happens when a terminal is closed: a plugin has a
   * process group of its own.
   * @returns the processes that live on; the caller must end them
   */
  async killedBut(spared: string | undefined, moment: () => boolean, ...args: string[]): Promise<number[]> {
    let living: number[] = [];
    const child = spawn("pulumi", [...args, "--non-interactive"], { cwd: repo, env: this.env, stdio: "pipe" });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (data: Buffer) => (output += data.toString()));
    let isKilled = false;
    const look = setInterval(() => {
      if (isKilled || child.pid === undefined || !moment()) return;
      isKilled = true;
      living = killTree(child.pid, spared);
    }, 20);
    // A process that lives on may keep the output open.
    await new Promise((resolve, reject) => child.on("error", reject).on(spared ? "exit" : "close", resolve));
    clearInterval(look);
    this.transcript.push(output);
    if (!isKilled) throw new Error(`pulumi ${args.join(" ")} had ended before it could be killed:\n${output}`);
    return living;
  }

  /** `npx proxmox-k3s ARGS…`. */
  async cluster(...args: string[]): Promise<Finished> {
    const result = await finish(path.join(repo, "node_modules/.bin/tsx"), ["cli/main.ts", ...args], this.env);
    this.transcript.push(result.stdout, result.stderr);
    return result;
  }

  async pulumiOk(...args: string[]): Promise<string> {
    const result = await this.pulumi(...args);
    if (result.code !== 0)
      throw new Error(`pulumi ${args.join(" ")} ended with ${result.code}:\n${result.stdout}${result.stderr}`);
    return result.stdout;
  }

  async kubectl(...args: string[]): Promise<string> {
    const result = await finish("kubectl", args, this.env);
    if (result.code !== 0) throw new Error(`kubectl ${args.join(" ")} ended with ${result.code}:\n${result.stderr}`);
    return result.stdout;
  }

  async kubectlJson<T>(...args: string[]): Promise<T> {
    return JSON.parse(await this.kubectl(...args, "-o", "json")) as T;
  }

  /** A shell command on the lab's Proxmox host. */
  async host(command: string): Promise<string> {
    return (await this.cli("host", "--", command)).stdout;
  }

  /** Waits on the host until a shell condition is true. */
  async until(condition: string): Promise<void> {
    await this.host(waiting(condition));
  }

  /**
   * Kills a guest at the beginning of a step on the host. This command holds the step's lock, so the step waits until then.
   * @param after a step with the same lock that must run before
   */
  async dieAtStep(step: string, lock: string, vmid: number, after?: string): Promise<void> {
    const death = `${waiting(`[ -e ${logOf(step)} ]`)}; pct stop ${vmid}`;
    const locked = `${lockFolder}; flock ${LOCKS}/${lock} sh -ec "${death}"`;
    // A step that has logged something has the lock already.
    await this.host(after === undefined ? locked : `${waiting(`[ -s ${logOf(after)} ]`)} && ${locked}`);
  }

  /**
   * Runs a command on the host at the beginning of the K3s step in a new guest. The step waits for its lock until the command has
   * ended. Call this before the guest is made.
   */
  async atK3sStep(node: string, vmid: number, command: string): Promise<void> {
    const begun = `until [ -e ${logOf(`${node}-k3s`)} ]; do sleep 0.1; done; echo begun`;
    const holding = `${begun}; until [ -e /run/go-on ]; do sleep 0.1; done`;
    // A new guest starts twice, so wait for the step before this one: then the guest has booted for the last time.
    await this.hostWithInput(
      "timeout 240 sh -e",
      `until pct exec ${vmid} -- test -e ${logOf(`${node}-artifacts`)} 2>/dev/null; do sleep 0.1; done
       pct exec ${vmid} -- flock ${LOCKS}/k3s sh -c '${holding}' </dev/null | {
         read -r begun
         ${command}
         pct exec ${vmid} -- touch /run/go-on || :
       }`,
    );
  }

  /** Runs a command on the host with standard input, which no transcript contains. */
  async hostWithInput(command: string, input: string): Promise<string> {
    const tsx = path.join(repo, "node_modules/.bin/tsx");
    const result = await finish(tsx, ["lab/cli.ts", "host", "--name", this.name, "--", command], this.env, input);
    if (result.code !== 0) throw new Error(`on the host: ${command} ended with ${result.code}: ${result.stderr}`);
    return result.stdout;
  }

  /** Runs a shell script in a container with `pct exec`. @returns its output @throws Error if it fails */
  inGuest(vmid: number, script: string): Promise<string> {
    return this.hostWithInput(`pct exec ${vmid} -- sh -e`, script);
  }

  /** Runs a shell script in a virtual machine through its guest agent. @returns its output @throws Error if it fails */
  async inMachine(vmid: number, script: string): Promise<string> {
    const answer = await this.hostWithInput(`qm guest exec ${vmid} --timeout 120 --pass-stdin 1 -- sh -e`, script);
    const { exitcode, "out-data": output = "" } = JSON.parse(answer) as { exitcode: number; "out-data"?: string };
    if (exitcode !== 0) throw new Error(`in machine ${vmid}: ${script} ended with ${exitcode}: ${answer}`);
    return output;
  }

  /** The stack's current config. It has no type: a test may write what a person may write. */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  get config(): any {
    return this.stackContent().config[CLUSTER];
  }

  /** Changes the stack's config. */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  edit(change: (cluster: any) => void): void {
    const content = this.stackContent();
    change(content.config[CLUSTER]);
    fs.writeFileSync(stackFile(this.stack), stringify(content));
  }

  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  private stackContent(): { config: Record<string, any> } {
    return parse(fs.readFileSync(stackFile(this.stack), "utf8"));
  }

  /** Sets a value in the stack's `proxmox-k3s:cluster`. */
  configure(key: string, value: string): Promise<string> {
    return this.pulumiOk("config", "set", "--path", `proxmox-k3s:cluster.${key}`, value);
  }

  /** Environment of a shell after `eval "$(lab env)"`. */
  get environment(): NodeJS.ProcessEnv {
    return this.env;
  }
}

/** Folder of the scripts' locks, on the host and on nodes. */
const LOCKS = "/run/proxmox-k3s.locks";
const lockFolder = `mkdir -p -m 0700 ${LOCKS}`;

/** Log file of a step, on the host or on the node. */
export const logOf = (step: string): string => `/var/log/proxmox-k3s/${step}.log`;

/** A shell command that waits for a condition. The timeout ends it if the test fails. */
const waiting = (condition: string): string => `timeout 180 sh -c 'until ${condition}; do sleep 0.1; done'`;

/** The environment of a shell after it has evaluated `text`. */
async function evaluate(text: string): Promise<NodeJS.ProcessEnv> {
  const result = await finish("sh", ["-c", `${text}\nenv -0`], process.env);
  if (result.code !== 0) throw new Error(`the lab's exports cannot be evaluated: ${result.stderr}`);
  const pairs = result.stdout.split("\0").filter(Boolean);
  return Object.fromEntries(pairs.map((pair) => [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)]));
}

/** Calls `look` repeatedly until it returns a value. @throws Error with the last error of `look` after `seconds` */
export async function eventually<T>(seconds: number, look: () => Promise<T | undefined | false>): Promise<T> {
  const deadline = Date.now() + seconds * 1000;
  let last: unknown;
  do {
    try {
      const value = await look();
      if (value !== undefined && value !== false) return value;
    } catch (error) {
      last = error;
    }
    await new Promise((resolve) => setTimeout(resolve, 250));
  } while (Date.now() < deadline);
  throw new Error(`not within ${seconds} s${last instanceof Error ? `: ${last.message}` : ""}`);
}

/** Takes a sample each second until stopped, to check what must always be true. */
export function sampler<T>(look: () => Promise<T>): { stop(): Promise<T[]> } {
  const samples: T[] = [];
  let running = true;
  const loop = (async () => {
    while (running) {
      const next = Date.now() + 1000;
      samples.push(await look());
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, next - Date.now())));
    }
  })();
  return {
    async stop() {
      running = false;
      await loop;
      return samples;
    },
  };
}
