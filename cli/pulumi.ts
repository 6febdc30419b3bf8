import { execFile } from "node:child_process";
import * as path from "node:path";

/** The program's own folder. Pulumi finds the project and its stacks from there. */
export const PROGRAM = path.join(__dirname, "..");

/**
 * Runs the Pulumi CLI on the program, with the user's own backend and secrets provider.
 * @param input its stdin
 * @returns its stdout
 * @throws Error with Pulumi's own message, or if `pulumi` is not on PATH
 */
export function pulumi(args: readonly string[], input = ""): Promise<string> {
  return new Promise((resolve, reject) => {
    const options = { cwd: PROGRAM, maxBuffer: 1 << 28 };
    const child = execFile("pulumi", [...args, "--non-interactive"], options, (error, stdout, stderr) => {
      if (!error) return resolve(stdout);
      if (error.code === "ENOENT") return reject(new Error("pulumi is not on PATH", { cause: error }));
      // The command line has only fixed words. Pulumi prints warnings before the error.
      const said = /^error: ([^]*)/m.exec(stderr)?.[1]?.trim();
      reject(new Error(said ?? (stderr.trim() || error.message), { cause: error }));
    });
    child.stdin?.on("error", () => {}); // it may end without reading its stdin; its exit code says why
    child.stdin?.end(input);
  });
}
