import { LineSocket } from "./lineSocket";

/** An error that QEMU returned, with its message. */
export class QmpError extends Error {}

type Message = Readonly<Record<string, unknown>> & { readonly error?: { readonly desc?: string } };

const answerMs = 30_000;

/** A connection to the monitor of a QEMU, by its machine protocol. */
export class Qmp {
  private readonly events: Message[] = [];

  private constructor(private readonly socket: LineSocket) {}

  /** Connects, does the work, and closes. The monitor serves one client at a time: others wait. */
  static async session<T>(path: string, work: (qmp: Qmp) => Promise<T>): Promise<T> {
    const socket = await LineSocket.connect(path);
    try {
      const qmp = new Qmp(socket);
      await qmp.next(answerMs);
      await qmp.execute("qmp_capabilities");
      return await work(qmp);
    } finally {
      socket.close();
    }
  }

  /** Runs a command and returns its result. @throws QmpError */
  async execute(command: string, args: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    this.socket.send(`${JSON.stringify({ execute: command, arguments: args })}\n`);
    for (;;) {
      const message = await this.next(answerMs);
      if (message["event"] !== undefined) this.events.push(message);
      else if (message.error) throw new QmpError(message.error.desc ?? command);
      else return message["return"];
    }
  }

  /** Waits for an event; one that came earlier in this session counts. */
  async event(name: string, isMeant: (data: Readonly<Record<string, unknown>>) => boolean): Promise<void> {
    const meant = (message: Message) =>
      message["event"] === name && isMeant((message["data"] ?? {}) as Record<string, unknown>);
    if (this.events.some(meant)) return;
    for (;;) if (meant(await this.next(answerMs))) return;
  }

  private async next(timeoutMs: number): Promise<Message> {
    return JSON.parse((await this.socket.line(timeoutMs)).toString()) as Message;
  }
}
