import { spawnSync } from "node:child_process";

/** Connects to the socket in its argument and ends with 0 where somebody answers; else it prints the error's code. */
const CONNECT = `require("node:net").connect(process.argv[1])
  .on("connect", () => process.exit(0))
  .on("error", ({ code }) => { process.stdout.write(code); process.exit(1); });`;

/**
 * An SSH agent that the environment names and that does not answer: every connection of the command provider fails then,
 * also those that bring a key of their own, and its error does not say so. Undefined where all is well.
 */
export function agentProblem(): { readonly seen: string; readonly remedy: string } | undefined {
  const socket = process.env["SSH_AUTH_SOCK"];
  if (!socket) return undefined;
  const { status, stdout } = spawnSync(process.execPath, ["-e", CONNECT, socket], { encoding: "utf8", timeout: 5000 });
  if (status === 0) return undefined;
  const why = stdout || "no answer";
  return { seen: `SSH_AUTH_SOCK names ${socket}, where no agent answers (${why})`, remedy: "unset SSH_AUTH_SOCK" };
}
