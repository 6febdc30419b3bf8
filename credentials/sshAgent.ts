import { spawnSync } from "node:child_process";

/** Connects to the socket in its argument. It ends with 0 if an agent answers, and prints the error's code if not. */
const CONNECT = `require("node:net").connect(process.argv[1])
  .on("connect", () => process.exit(0))
  .on("error", ({ code }) => { process.stdout.write(code); process.exit(1); });`;

/**
 * The problem of an SSH agent that SSH_AUTH_SOCK names and that does not answer; undefined if there is none. With such an
 * agent every connection of the command provider fails, even with a private key, and its error does not say why.
 */
export function agentProblem(): { readonly seen: string; readonly remedy: string } | undefined {
  const socket = process.env["SSH_AUTH_SOCK"];
  if (!socket) return undefined;
  const { status, stdout } = spawnSync(process.execPath, ["-e", CONNECT, socket], { encoding: "utf8", timeout: 5000 });
  if (status === 0) return undefined;
  const why = stdout || "no answer";
  return { seen: `SSH_AUTH_SOCK names ${socket}, where no agent answers (${why})`, remedy: "unset SSH_AUTH_SOCK" };
}
