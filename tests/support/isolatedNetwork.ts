import { type ChildProcess, spawn } from "node:child_process";
import { Server, type Socket } from "node:net";

/**
 * Runs inside the namespace: listens on the port that it is told and hands the socket over. A socket stays in the namespace in
 * which it was made, even if another process accepts its connections.
 */
const HOLDER = `
  const net = require("node:net");
  process.on("message", ({ port }) => {
    const server = net.createServer().on("error", (error) => process.send({ port, error: error.message }));
    server.listen(port, "0.0.0.0", () => process.send({ port }, server, () => server.close()));
  });
  process.on("disconnect", () => process.exit());
  process.send({ up: true });
`;

interface HolderMessage {
  readonly port?: number;
  readonly error?: string;
}

/**
 * A network namespace with a loopback device only, which has every address of the given networks. What runs in it reaches the servers
 * of this process at those addresses, and nothing else: neither the machine's services nor other tests, even if they use the
 * same addresses. Needs root on Linux.
 */
export class IsolatedNetwork {
  /** TCP connections to one of the servers so far. */
  connections = 0;
  private readonly servers = new Set<Server>();
  private readonly sockets = new Set<Socket>();

  private constructor(private readonly holder: ChildProcess) {}

  /** @param networks in CIDR form; the namespace has all their addresses */
  static async create(networks: readonly string[]): Promise<IsolatedNetwork> {
    const setUp = ["ip link set lo up", ...networks.map((cidr) => `ip route add local ${cidr} dev lo`)].join(" && ");
    const holder = spawn("unshare", ["--net", "sh", "-c", `${setUp} && exec "$0" -e "$1"`, process.execPath, HOLDER], {
      stdio: ["ignore", "ignore", "pipe", "ipc"],
    });
    let complaint = "";
    holder.stderr?.on("data", (data: Buffer) => (complaint += data.toString()));
    await new Promise<void>((resolve, reject) => {
      holder.once("message", () => resolve());
      holder.once("error", reject);
      holder.once("exit", () =>
        reject(new Error(`cannot make a network namespace, which needs root on Linux: ${complaint.trim()}`)),
      );
    });
    return new IsolatedNetwork(holder);
  }

  /** Serves a TCP port on every address of the network; the socket's local address says which one the client used. */
  async listen(port: number, serve: (socket: Socket) => void): Promise<void> {
    const answer = new Promise<Server>((resolve, reject) => {
      const receive = (message: HolderMessage, handle: unknown): void => {
        if (message.port !== port) return;
        this.holder.off("message", receive);
        if (handle instanceof Server) resolve(handle);
        else reject(new Error(`port ${port}: ${message.error}`));
      };
      this.holder.on("message", receive);
    });
    this.holder.send({ port });
    const server = await answer;
    this.servers.add(server);
    server.on("connection", (socket) => {
      this.connections++;
      this.sockets.add(socket);
      socket.on("close", () => this.sockets.delete(socket));
      socket.on("error", () => {}); // some tests end the client early
      serve(socket);
    });
  }

  /** Closes every port and its connections; later connections are refused. */
  async close(): Promise<void> {
    const closed = [...this.servers].map((server) => new Promise((resolve) => server.close(resolve)));
    for (const socket of this.sockets) socket.destroy();
    await Promise.all(closed);
    this.servers.clear();
  }

  /** Prefix for a command line that is to run in this network. */
  get enter(): readonly string[] {
    return ["nsenter", `--net=/proc/${this.holder.pid}/ns/net`, "--"];
  }

  /** Ends the last process of the namespace, and so the namespace. */
  async dispose(): Promise<void> {
    await this.close();
    if (this.holder.connected) this.holder.disconnect();
  }
}
