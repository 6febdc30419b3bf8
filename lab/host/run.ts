import { execFile, spawnSync } from "node:child_process";

/** Options of {@link run} besides the arguments. */
export interface RunOptions {
  /** Text for its standard input; nothing by default. */
  input?: string;
  cwd?: string;
  /** Whole environment; the caller's by default. */
  env?: NodeJS.ProcessEnv;
  /** Milliseconds after which it is ended; none by default. */
  timeout?: number;
}

/** A command that did not end with 0. `message` has the command and its stderr. */
export class CommandError extends Error {
  constructor(
    readonly command: string,
    readonly exitCode: number | undefined,
    readonly stdout: string,
    readonly stderr: string,
  ) {
    super(`${command} failed${exitCode === undefined ? "" : ` with ${exitCode}`}: ${(stderr || stdout).trim()}`);
  }
}

/**
 * Runs a command without a shell and returns its standard output.
 *
 * @throws CommandError if it cannot be started or does not end with 0.
 */
export function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<string> {
  const { input, ...rest } = options;
  return new Promise((resolve, reject) => {
    const child = execFile(command, args, { ...rest, maxBuffer: 1 << 28 }, (error, stdout, stderr) => {
      if (!error) return resolve(stdout);
      const exitCode = typeof error.code === "number" ? error.code : undefined;
      reject(new CommandError([command, ...args].join(" "), exitCode, stdout, stderr || error.message));
    });
    // A command that does not read its input may close the pipe first. That is no error.
    child.stdin?.on("error", () => {});
    child.stdin?.end(input ?? "");
  });
}

/** Whether a command of that name is on PATH. */
export function hasCommand(name: string): boolean {
  return spawnSync("sh", ["-c", 'command -v "$1"', "sh", name], { stdio: "ignore" }).status === 0;
}
