import type { Socket } from "node:net";
import { type AuthContext, Server, type ServerChannel, type Session, utils } from "ssh2";

/** A machine that answers SSH, as the SSH server needs it. */
export interface ShellMachine {
  /** Private host key, OpenSSH form. */
  readonly hostKey: string;
  /** Public keys that may log in as root; read at each login. */
  authorizedKeys(): readonly string[];
  /** Runs a command line; `stdin` is complete. An error means that the command could not be run. */
  exec(command: string, stdin: string): Promise<{ status: number; stdout: string; stderr: string }>;
}

/** Serves SSH on one connection: the handshake with the machine's host key, logins of root with a key, and commands. */
export function serveShell(machine: ShellMachine, socket: Socket): void {
  const server = new Server({ hostKeys: [machine.hostKey] }, (client) => {
    client.on("error", () => {}); // some tests end the client early
    client.on("authentication", (context) =>
      mayLogIn(context, machine.authorizedKeys()) ? context.accept() : context.reject(["publickey"]),
    );
    client.on("session", (accept) => serveSession(accept(), machine));
  });
  server.injectSocket(socket);
}

function mayLogIn(context: AuthContext, keys: readonly string[]): boolean {
  if (context.method !== "publickey" || context.username !== "root") return false;
  return keys.some((text) => {
    const key = utils.parseKey(text);
    if (key instanceof Error || key.type !== context.key.algo || !key.getPublicSSH().equals(context.key.data)) {
      return false;
    }
    // Without a signature the client only asks whether the key would be accepted.
    if (!context.signature || !context.blob) return true;
    return key.verify(context.blob, context.signature, context.hashAlgo) === true;
  });
}

function serveSession(session: Session, machine: ShellMachine): void {
  session.on("exec", (accept, _reject, { command }) => {
    const channel = accept();
    const input: Buffer[] = [];
    channel.on("data", (data: Buffer) => input.push(data));
    channel.on("end", () => void answer(channel, machine, command, Buffer.concat(input).toString("utf8")));
  });
}

async function answer(channel: ServerChannel, machine: ShellMachine, command: string, stdin: string): Promise<void> {
  const { status, stdout, stderr } = await machine.exec(command, stdin).catch((error: Error) => ({
    status: 255,
    stdout: "",
    stderr: `${error.message}\n`,
  }));
  channel.stderr.write(stderr);
  channel.write(stdout);
  channel.exit(status);
  channel.end();
}
