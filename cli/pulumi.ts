import { execFile } from "node:child_process";
import * as path from "node:path";

/** The program's own folder: its stacks are found from there. */
export const PROGRAM = path.join(__dirname, "..");

/**
 * Runs the Pulumi CLI on the program, with whatever backend and secrets provider the person has.
 * @param input for its stdin
 * @returns what it printed on stdout
 * @throws Error in Pulumi's words, or that there is no `pulumi`
 */
export function pulumi(args: readonly string[], input = ""): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { cwd: PROGRAM, maxBuffer: 1 << 28 };
    const child = execFile("pulumi", [...args, "--non-interactive"], options, (error, stdout, stderr) => {
      if (!error) return resolve(stdout);
      if (error.code === "ENOENT") return reject(new Error("pulumi is not on PATH", { cause: error }));
      // The command line has words alone. Warnings stand before the error.
      const said = /^error: ([^]*)/m.exec(stderr)?.[1]?.trim();
      reject(new Error(said ?? (stderr.trim() || error.message), { cause: error }));
    });
    child.stdin?.on("error", () => {}); // it may end without reading; its exit code says why
    child.stdin?.end(input);
  });
}
