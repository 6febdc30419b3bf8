import * as fs from "node:fs";
import * as net from "node:net";
import * as path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** A call of a command that is a double; `command.pl` sends it. */
export interface CommandCall {
  readonly name: string;
  readonly args: readonly string[];
  print(text: string): void;
  complain(text: string): void;
  /** All of its standard input. */
  input(): Promise<string>;
  /** Replaces the command by its own arguments from number `first` on, run in another root. */
  become(first: number, root: string): void;
}

/** Answers a call. @returns its exit status @throws Error whose message goes to stderr; the exit status is 255 then */
export type CommandDouble = (call: CommandCall) => Promise<number | void>;

/** Writes doubles with these names into a folder. */
export function makeCommands(folder: string, names: readonly string[]): void {
  fs.mkdirSync(folder, { recursive: true });
  for (const name of names) fs.copyFileSync(path.join(__dirname, "command.pl"), path.join(folder, name));
  for (const name of names) fs.chmodSync(path.join(folder, name), 0o755);
}

/**
 * Answers the doubles that are called on one machine. Their socket has the path of systemd's private socket, so it exists only while
 * the machine runs.
 * @param root the machine's root
 * @returns a function that ends it
 */
export async function serveCommands(root: string, answer: CommandDouble): Promise<() => void> {
  const socket = path.join(root, "run/systemd/private");
  fs.mkdirSync(path.dirname(socket), { recursive: true });
  fs.rmSync(socket, { force: true });
  const open = new Set<net.Socket>();
  const server = net.createServer((connection) => {
    open.add(connection);
    connection.on("close", () => open.delete(connection));
    connection.on("error", () => {}); // a command may be killed
    void serve(connection, answer);
  });
  await new Promise<void>((resolve, reject) => server.once("error", reject).listen(socket, resolve));
  return () => {
    server.close();
    for (const connection of open) connection.destroy();
    fs.rmSync(socket, { force: true });
  };
}

async function serve(connection: net.Socket, answer: CommandDouble): Promise<void> {
  const messages = new Messages(connection);
  const send = (kind: string, text: string): void => {
    const body = Buffer.from(text);
    const head = Buffer.alloc(5);
    head.write(kind);
    head.writeUInt32BE(body.length, 1);
    if (!connection.destroyed) connection.write(Buffer.concat([head, body]));
  };
  const [name = "", ...args] = wordsOf(await messages.next());
  let isGone = false;
  const call: CommandCall = {
    ...{ name, args },
    print: (text) => send("O", text),
    complain: (text) => send("E", text),
    input: async () => {
      send("I", "");
      return (await messages.next()).toString();
    },
    become: (first, root) => {
      isGone = true;
      send("R", `${first} ${root}`);
    },
  };
  try {
    const status = await answer(call);
    if (!isGone) send("X", String(status ?? 0));
  } catch (error) {
    send("E", `${(error as Error).message}\n`);
    send("X", "255");
  }
  connection.end();
}

/** Messages of a connection; each follows its length. */
class Messages {
  private buffer = Buffer.alloc(0);

  constructor(private readonly connection: net.Socket) {
    connection.on("data", (data: Buffer) => (this.buffer = Buffer.concat([this.buffer, data])));
  }

  /** Never resolves if the other end closes before its message is complete. */
  async next(): Promise<Buffer> {
    for (;;) {
      const length = this.buffer.length < 4 ? Infinity : 4 + this.buffer.readUInt32BE(0);
      if (this.buffer.length >= length) {
        const message = this.buffer.subarray(4, length);
        this.buffer = this.buffer.subarray(length);
        return message;
      }
      await new Promise((resolve) => this.connection.once("data", resolve));
    }
  }
}

function wordsOf(message: Buffer): string[] {
  const words: string[] = [];
  for (let at = 0; at < message.length;) {
    const end = at + 4 + message.readUInt32BE(at);
    words.push(message.subarray(at + 4, end).toString());
    at = end;
  }
  return words;
}

/** Time on the machines passes this many times as fast, so that a useless wait does not take long in a test. */
export const HASTE = 10;

/**
 * The clock in a machine's `/proc/uptime`. The test's process advances it: if that process gets no CPU time, the machine's time
 * stops, too.
 */
export class HastyClock {
  private seconds = 1000;
  private isStopped = false;

  /** @param file used as `/proc/uptime` */
  constructor(private readonly file: string) {
    this.write();
    void this.run();
  }

  stop(): void {
    this.isStopped = true;
  }

  private async run(): Promise<void> {
    while (!this.isStopped) {
      await sleep(50, undefined, { ref: false });
      this.seconds += 0.05 * HASTE;
      if (!this.isStopped) this.write();
    }
  }

  /** Writes in place: a new file would not be the mounted one. */
  private write(): void {
    const text = `${this.seconds.toFixed(2)} 0.00\n`;
    const file = fs.openSync(this.file, fs.constants.O_WRONLY | fs.constants.O_CREAT, 0o644);
    fs.writeSync(file, text);
    fs.closeSync(file);
  }
}

/** Makes a `sleep` with the same speed as {@link HastyClock}. */
export function makeHastySleep(folder: string): void {
  const text = `#!/usr/bin/perl\nselect undef, undef, undef, $ARGV[0] / ${HASTE};\n`;
  fs.writeFileSync(path.join(folder, "sleep"), text, { mode: 0o755 });
}
