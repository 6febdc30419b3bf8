import * as net from "node:net";

/** A connection to a Unix socket that carries lines, as QEMU's monitor and its guest agent do. */
export class LineSocket {
  private readonly lines: Buffer[] = [];
  private rest = Buffer.alloc(0);
  private failed?: Error;
  private wake = () => {};

  private constructor(private readonly socket: net.Socket) {
    const end = (error: Error) => {
      this.failed ??= error;
      this.wake();
    };
    socket.on("error", end);
    socket.on("close", () => end(new Error("the other side closed the connection")));
    socket.on("data", (data: Buffer) => {
      this.rest = Buffer.concat([this.rest, data]);
      for (let end = this.rest.indexOf("\n"); end >= 0; end = this.rest.indexOf("\n")) {
        this.lines.push(this.rest.subarray(0, end));
        this.rest = this.rest.subarray(end + 1);
      }
      this.wake();
    });
  }

  /** @throws Error if nothing listens there. */
  static async connect(path: string): Promise<LineSocket> {
    const socket = net.connect({ path });
    await new Promise<void>((resolve, reject) => {
      socket.once("connect", () => resolve());
      socket.once("error", reject);
    });
    return new LineSocket(socket);
  }

  send(data: Buffer | string): void {
    this.socket.write(data);
  }

  /** The next line without its end. @throws Error if none comes in time, or no more can come. */
  async line(timeoutMs: number): Promise<Buffer> {
    for (const deadline = Date.now() + timeoutMs; ;) {
      const line = this.lines.shift();
      if (line) return line;
      if (this.failed) throw this.failed;
      const left = deadline - Date.now();
      if (left <= 0) throw new Error("got timeout");
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  close(): void {
    this.socket.destroy();
  }
}
