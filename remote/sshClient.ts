import * as sshpk from "sshpk";
import { Client, type ClientChannel } from "ssh2";

import { readAnswer } from "./answer";
import { type Arguments, type CommandText, renderCommand, renderStdin } from "./script";
import { requireArguments } from "./tasks";

/** A machine that the program itself reaches by SSH; the same facts as a command's connection. */
export interface ShellTarget {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** In any form that `sshpk` reads; without a passphrase. */
  readonly privateKey: string;
  /** The machine's public key, `ssh-ed25519 …`. No other one is accepted. */
  readonly hostKey: string;
  /** Attempts to connect. @default 11 */
  readonly dials?: number;
}

/** Attempts to connect, and seconds for each: as often and as long as the commands dial. */
const DIALS = 11;
const DIAL_SECONDS = 5;

/** A task of `scripts/`, as the program itself runs it. */
export interface ShellTask extends CommandText {
  /** Values that the command's text does not show. */
  readonly inputs: Arguments;
}

/**
 * Renders a task, runs it, and demands that the machine says it has run it.
 * @returns its answer, of the shape that the task gives
 * @throws UnacknowledgedError where the machine did not run the script; all else as {@link runScript}
 */
export async function runTask(target: ShellTarget, { inputs, ...text }: ShellTask): Promise<string> {
  requireArguments(text.task, [...Object.keys(text.args), ...Object.keys(inputs)]);
  const stdout = await runScript(target, renderCommand(text), renderStdin(text.task, { inputs }));
  return readAnswer(text.task, text.step, text.action, stdout);
}

/**
 * Runs a script of ours from the program itself, for hooks, which no command resource can serve.
 * @param stdin the script, as `renderStdin` makes it
 * @returns what it answered on stdout
 * @throws Error with all that it printed on stderr when it fails
 * @throws ConnectionError with the cause when the machine cannot be reached or is lost
 */
export async function runScript(target: ShellTarget, command: string, stdin: string): Promise<string> {
  const client = await dial(target);
  try {
    return await execute(client, command, stdin);
  } finally {
    client.end();
  }
}

async function dial(target: ShellTarget): Promise<Client> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await connect(target);
    } catch (error) {
      const { level, message } = error as Error & { level?: string };
      // A wrong key stays wrong; a server that is busy or coming up does not.
      if (attempt >= (target.dials ?? DIALS) || level === "client-authentication" || error instanceof HostKeyError)
        throw new ConnectionError(`${target.user}@${target.host} cannot be reached by SSH: ${message}`, {
          cause: error,
        });
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  }
}

/** The machine shows another host key than the one it must have. */
export class HostKeyError extends Error {}

/** The machine cannot be reached, or was lost while the script ran; the script itself has said nothing. */
export class ConnectionError extends Error {}

function connect(target: ShellTarget): Promise<Client> {
  const [keyType, key] = target.hostKey.split(" ");
  return new Promise((resolve, reject) => {
    let foreign: string | undefined;
    const client = new Client();
    client.on("ready", () => resolve(client));
    client.on("error", (error) =>
      reject(
        foreign === undefined
          ? error
          : new HostKeyError(`it shows another host key than proxmox.hostKey: ${keyType} ${foreign}`),
      ),
    );
    // A busy server closes without a word.
    client.on("close", () => reject(new Error("the server closed the connection")));
    client.connect({
      host: target.host,
      port: target.port,
      username: target.user,
      // The client reads fewer forms of a key than the commands do.
      privateKey: sshpk.parsePrivateKey(target.privateKey, "auto").toString("openssh"),
      algorithms: { serverHostKey: [keyType as "ssh-ed25519"] },
      hostVerifier: (shown: Buffer) => {
        const text = shown.toString("base64");
        if (text !== key) foreign = text;
        return text === key;
      },
      readyTimeout: DIAL_SECONDS * 1000,
      // A host that vanishes without a word ends the session after three unanswered questions.
      keepaliveInterval: 15_000,
    });
  });
}

function execute(client: Client, command: string, stdin: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const lost = (why = ""): void =>
      reject(new ConnectionError(`the connection was lost before the script had ended${why}`));
    client.on("error", ({ message }) => lost(`: ${message}`));
    client.on("close", () => lost());
    client.exec(command, (failure: Error | undefined, channel: ClientChannel) => {
      if (failure) return reject(failure);
      const output = { stdout: "", stderr: "" };
      channel.on("data", (data: Buffer) => (output.stdout += data.toString()));
      channel.stderr.on("data", (data: Buffer) => (output.stderr += data.toString()));
      channel.on("close", (status: number | null) =>
        status === 0
          ? resolve(output.stdout.trim())
          : reject(new Error(output.stderr.trim() || `the script ended with ${status}`)),
      );
      channel.end(stdin);
    });
  });
}
