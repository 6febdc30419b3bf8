import { randomInt } from "node:crypto";
import { failure } from "../pve/errors";
import { LineSocket } from "./lineSocket";

/** How long a guest may take to answer. A processor in software is slow, so these are longer than Proxmox VE's. */
export interface AgentPatience {
  /** To say that it is there at all. */
  readonly syncMs: number;
  readonly answerMs: number;
}

const patience: AgentPatience = { syncMs: 5_000, answerMs: 30_000 };

/** A reader that sees this byte drops what it had half read. */
const delimiter = Buffer.from([0xff]);

/** These end without an answer. */
const silent = /^(shutdown|suspend-\w+)$/;

/**
 * Has the guest agent at the other end of a socket run `guest-<command>`, and returns what it returns.
 *
 * The channel may hold answers to somebody who has given up, and the agent half a question: both sides are brought
 * together first (`guest-sync-delimited`).
 *
 * @throws ApiError 500 in the words of Proxmox VE: nobody answers, no answer in time, or the agent's own error.
 */
export async function askAgent(
  path: string,
  vmid: number,
  command: string,
  args: Readonly<Record<string, unknown>>,
  { syncMs, answerMs }: AgentPatience = patience,
): Promise<unknown> {
  const socket = await synchronized(path, syncMs).catch(() => {
    throw failure("QEMU guest agent is not running");
  });
  try {
    socket.send(`${JSON.stringify({ execute: `guest-${command}`, arguments: args })}\n`);
    const isSilent = silent.test(command);
    const answer = await socket.line(isSilent ? 1_000 : answerMs).catch((error: Error) => {
      if (!isSilent) throw failure(`VM ${vmid} qga command 'guest-${command}' failed - ${error.message}`);
    });
    if (answer === undefined) return {};
    const { error, return: returned } = parse(answer) as { error?: { desc?: string }; return?: unknown };
    if (error) throw failure(`Agent error: ${error.desc ?? "unknown"}`);
    return returned;
  } finally {
    socket.close();
  }
}

/** A connection on which the next line is the answer to the next command. */
async function synchronized(path: string, timeoutMs: number): Promise<LineSocket> {
  const socket = await LineSocket.connect(path);
  try {
    const id = randomInt(2 ** 31);
    const question = JSON.stringify({ execute: "guest-sync-delimited", arguments: { id } });
    socket.send(Buffer.concat([delimiter, Buffer.from(`${question}\n`)]));
    for (const deadline = Date.now() + timeoutMs; ;) {
      const line = await socket.line(deadline - Date.now());
      if (line.includes(delimiter) && (parse(line) as { return?: unknown }).return === id) return socket;
    }
  } catch (error) {
    socket.close();
    throw error;
  }
}

/** What comes before the delimiter was meant for somebody else. */
function parse(line: Buffer): unknown {
  return JSON.parse(line.subarray(line.lastIndexOf(delimiter) + 1).toString());
}
