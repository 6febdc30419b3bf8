import { spawn } from "node:child_process";
import * as fs from "node:fs";
import { type AddressInfo, connect } from "node:net";
import * as os from "node:os";
import * as path from "node:path";
import { type AuthContext, type Connection, Server, type ServerChannel, type Session, utils } from "ssh2";
import { serveSftp } from "./sftpServer";
import { type KeyPair, newKeyPair } from "./sshKeys";

/** An SSH server, by default on loopback, that runs commands with `sh -c` in a scratch folder and counts connections. */
export interface SshServer {
  port: number;
  /** Its host key, as in authorized_keys. */
  hostKey: string;
  /** Two private keys that may log in. */
  clientKeys: [string, string];
  /** The scratch folder, in which commands run. */
  folder: string;
  /** Time of each TCP connection, in milliseconds. */
  dials: number[];
  /** How many of the next connections to drop before the handshake. */
  dropNext: number;
  /** Runs instead of the client's command, like `command=` in authorized_keys. */
  forcedCommand?: string;
  close(): Promise<void>;
}

/**
 * Starts a server, by default with an ed25519 host key. Like Debian's sshd, it accepts only the environment variables LANG and LC_*.
 */
export async function startSshServer(hostKey: KeyPair = newKeyPair(), address = "127.0.0.1"): Promise<SshServer> {
  const clientKeys = [newKeyPair(), newKeyPair()] as const;
  const publicKeys = clientKeys.map((key) => key.public);
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "ssh-server-"));
  const open = new Set<Connection>();
  const state: SshServer = {
    port: 0,
    hostKey: hostKey.public,
    clientKeys: [clientKeys[0].private, clientKeys[1].private],
    folder,
    dials: [],
    dropNext: 0,
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const client of open) client.end();
      await closed;
      fs.rmSync(folder, { recursive: true });
    },
  };
  const server = new Server({ hostKeys: [hostKey.private] }, (client) => {
    state.dials.push(Date.now());
    client.on("error", () => {}); // some tests end the client early
    if (state.dropNext > 0) {
      state.dropNext--;
      client.end();
      return;
    }
    open.add(client);
    client.on("close", () => open.delete(client));
    client.on("authentication", (context) => {
      if (mayLogIn(context, publicKeys)) context.accept();
      else context.reject(["publickey"]);
    });
    client.on("tcpip", (accept, reject, { destIP, destPort }) => {
      const onward = connect(destPort, destIP, () => onward.pipe(accept()).pipe(onward));
      onward.on("error", () => reject());
    });
    client.on("session", (accept) => serveSession(accept(), folder, state));
  });
  await new Promise<void>((resolve) => server.listen(0, address, resolve));
  state.port = (server.address() as AddressInfo).port;
  return state;
}

function mayLogIn(context: AuthContext, keys: readonly string[]): boolean {
  if (context.method !== "publickey") return false;
  return keys.some((text) => {
    const key = utils.parseKey(text);
    if (key instanceof Error || !key.getPublicSSH().equals(context.key.data)) return false;
    return (
      !context.signature || !context.blob || key.verify(context.blob, context.signature, context.hashAlgo) === true
    );
  });
}

function serveSession(session: Session, folder: string, { forcedCommand }: SshServer): void {
  const env: NodeJS.ProcessEnv = { PATH: process.env["PATH"] };
  session.on("env", (accept, reject, variable) => {
    if (!/^(LANG|LC_.*)$/.test(variable.key)) return reject?.();
    env[variable.key] = variable.val;
    accept?.();
  });
  session.on("exec", (accept, _reject, { command }) => serveCommand(accept(), forcedCommand ?? command, folder, env));
  session.on("sftp", (accept) => serveSftp(accept()));
}

function serveCommand(channel: ServerChannel, command: string, cwd: string, env: NodeJS.ProcessEnv): void {
  const child = spawn("sh", ["-c", command], { cwd, env });
  channel.pipe(child.stdin);
  child.stdin.on("error", () => {}); // a command that reads no input
  child.stdout.pipe(channel, { end: false });
  child.stderr.pipe(channel.stderr, { end: false });
  child.on("close", (code) => {
    channel.exit(code ?? 255);
    channel.end();
  });
}
