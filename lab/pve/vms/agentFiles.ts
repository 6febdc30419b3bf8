/** Asks a machine's guest agent, see `VmDriver.agent`. */
export type Ask = (command: string, args?: Readonly<Record<string, unknown>>) => Promise<unknown>;

/** How many bytes the agent reads per request. */
const readBytes = 1024 ** 2;

/** Reads a part of a guest's file. `isTruncated`: the file has more after it. */
export async function readGuestFile(
  ask: Ask,
  path: string,
  offset: number,
  count: number,
): Promise<{ content: Buffer; isTruncated: boolean }> {
  const handle = await ask("file-open", { path });
  if (offset > 0) await ask("file-seek", { handle, offset, whence: "set" });
  const parts: Buffer[] = [];
  let [left, isAtEnd] = [count, false];
  while (left > 0 && !isAtEnd) {
    const answer = await ask("file-read", { handle, count: Math.min(left, readBytes) });
    const { count: got, eof, "buf-b64": data } = answer as { count: number; eof: boolean; "buf-b64": string };
    parts.push(Buffer.from(data, "base64"));
    left -= got;
    isAtEnd = eof;
  }
  await ask("file-close", { handle });
  return { content: Buffer.concat(parts), isTruncated: !isAtEnd };
}

/** Writes a guest's file, in place of an old one. */
export async function writeGuestFile(ask: Ask, path: string, content: Buffer): Promise<void> {
  const handle = await ask("file-open", { path, mode: "wb" });
  await ask("file-write", { handle, "buf-b64": content.toString("base64") });
  await ask("file-close", { handle });
}
