import { execFile } from "node:child_process";
import * as path from "node:path";

const repo = path.join(__dirname, "../..");

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

/** One lab of its own for a suite, by the commands that a person uses. */
export class Lab {
  private env: NodeJS.ProcessEnv = process.env;
  /** All that the commands run through this lab have printed; the secret scan reads it. */
  readonly transcript: string[] = [];

  constructor(readonly name: string) {}

  get stack(): string {
    return `lab-${this.name}`;
  }

  async up(): Promise<void> {
    await this.cli("up");
    const exports = await this.cli("env");
    this.env = await evaluate(exports.stdout);
  }

  /** May be run twice, and after a failed `up`. */
  async down(): Promise<void> {
    await this.cli("down");
  }

  /** `npm run -s lab -- COMMAND --name NAME ARGS…`; throws when it fails. */
  async cli(command: string, ...args: string[]): Promise<Finished> {
    const tsx = path.join(repo, "node_modules/.bin/tsx");
    const result = await finish(tsx, ["lab/cli.ts", command, "--name", this.name, ...args], this.env);
    // `env` prints credentials on purpose.
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

  /** The same with standard input, which no transcript keeps. */
  async hostWithInput(command: string, input: string): Promise<string> {
    const tsx = path.join(repo, "node_modules/.bin/tsx");
    const result = await finish(tsx, ["lab/cli.ts", "host", "--name", this.name, "--", command], this.env, input);
    if (result.code !== 0) throw new Error(`on the host: ${command} ended with ${result.code}: ${result.stderr}`);
    return result.stdout;
  }

  /** Environment of a person's shell after `eval "$(lab env)"`. */
  get environment(): NodeJS.ProcessEnv {
    return this.env;
  }
}

/** What a shell's environment is after it has evaluated `text`. */
async function evaluate(text: string): Promise<NodeJS.ProcessEnv> {
  const result = await finish("sh", ["-c", `${text}\nenv -0`], process.env);
  if (result.code !== 0) throw new Error(`the lab's exports cannot be evaluated: ${result.stderr}`);
  const pairs = result.stdout.split("\0").filter(Boolean);
  return Object.fromEntries(pairs.map((pair) => [pair.slice(0, pair.indexOf("=")), pair.slice(pair.indexOf("=") + 1)]));
}

/** Calls `look` again and again until it gives a value; fails with its last word after `seconds`. */
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

/** Takes a sample each second until stopped; for what must hold at every moment. */
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
