import { randomInt } from "node:crypto";
import { failure } from "../pve/errors";
import { LineSocket } from "./lineSocket";

/** How long a guest may take to answer. An emulated processor is slow, so these times are longer than Proxmox VE's. */
export interface AgentPatience {
  /** Until the agent answers at all. */
  readonly syncMs: number;
  readonly answerMs: number;
}

const patience: AgentPatience = { syncMs: 5_000, answerMs: 30_000 };

/** On this byte, a reader drops an incomplete message. */
const delimiter = Buffer.from([0xff]);

/** These commands may end without an answer. */
const silent = /^(shutdown|suspend-\w+)$/;

/**
 * Runs `guest-<command>` on the guest agent behind a socket, and returns its result.
 *
 * The channel may hold late answers to an earlier caller, and the agent an incomplete request. So both sides are
 * synchronized first (`guest-sync-delimited`).
 *
 * @throws ApiError 500 with the message of Proxmox VE: no agent, no answer in time, or the agent's own error.
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

/** Whatever is before the delimiter is for an earlier caller. */
function parse(line: Buffer): unknown {
  return JSON.parse(line.subarray(line.lastIndexOf(delimiter) + 1).toString());
}
