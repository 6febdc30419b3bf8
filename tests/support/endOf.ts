import type { ChildProcessWithoutNullStreams } from "node:child_process";

/** How a process ended: its exit code, null after a signal, and all that it printed. */
export interface ProcessEnd {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * Gives a process its standard input and waits for its end.
 * @throws Error if it cannot be started
 */
export async function endOf(child: ChildProcessWithoutNullStreams, input: string): Promise<ProcessEnd> {
  child.stdin.on("error", () => {}); // it may end without reading
  child.stdin.end(input);
  const output = { stdout: "", stderr: "" };
  child.stdout.on("data", (data: Buffer) => (output.stdout += data.toString()));
  child.stderr.on("data", (data: Buffer) => (output.stderr += data.toString()));
  const code = await new Promise<number | null>((resolve, reject) => child.on("error", reject).on("close", resolve));
  return { code, ...output };
}
