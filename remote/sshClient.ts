import * as sshpk from "sshpk";
import { Client, type ClientChannel } from "ssh2";

import { readAnswer } from "./answer";
import { DIAL_ERRORS, DIAL_SECONDS } from "./dialing";
import { type Arguments, type CommandText, renderCommand, renderStdin } from "./script";
import { requireArguments } from "./tasks";

/** A machine that the program itself reaches over SSH; the same values as a command's connection. */
export interface ShellTarget {
  readonly host: string;
  readonly port: number;
  readonly user: string;
  /** In any form that `sshpk` reads; without a passphrase. */
  readonly privateKey: string;
  /** The machine's SSH host key, `ssh-ed25519 …`. No other one is accepted. */
  readonly hostKey: string;
  /** Attempts to connect; by default as many as a command makes. */
  readonly dials?: number;
}

/** A task of `scripts/` that the program itself runs. */
export interface ShellTask extends CommandText {
  /** Values that the command's text does not show. */
  readonly inputs: Arguments;
}

/**
 * Renders a task, runs it, and checks that the machine acknowledged it.
 * @returns its answer, in the shape that the task gives
 * @throws UnacknowledgedError if the machine did not run the script; otherwise like {@link runScript}
 */
export async function runTask(target: ShellTarget, { inputs, ...text }: ShellTask): Promise<string> {
  requireArguments(text.task, [...Object.keys(text.args), ...Object.keys(inputs)]);
  const stdout = await runScript(target, renderCommand(text), renderStdin(text.task, { inputs }));
  return readAnswer(text.task, text.step, text.action, stdout);
}

/**
 * Runs a script from the program itself. Hooks need this, because they cannot use a command resource.
 * @param stdin the script, from `renderStdin`
 * @returns its stdout
 * @throws Error with its stderr if it fails
 * @throws ConnectionError with the cause if the machine cannot be reached, or the connection is lost
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
      // A wrong key stays wrong, so do not try again. A busy or starting server may answer later.
      if (
        attempt >= (target.dials ?? DIAL_ERRORS.host + 1) ||
        level === "client-authentication" ||
        error instanceof HostKeyError
      )
        throw new ConnectionError(`${target.user}@${target.host} cannot be reached by SSH: ${message}`, {
          cause: error,
        });
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  }
}

/** The machine shows another host key than the one it must have. */
export class HostKeyError extends Error {}

/** The machine cannot be reached, or the connection was lost while the script ran. The script itself has not failed. */
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
          : new HostKeyError(`its host key is not proxmox.hostKey, but ${keyType} ${foreign}`),
      ),
    );
    // A busy server closes the connection without an error.
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
      // If the host disappears, the session ends after three unanswered keep-alives.
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
          : reject(new Error(output.stderr.trim() || `the script ended with exit code ${status}`)),
      );
      channel.end(stdin);
    });
  });
}
