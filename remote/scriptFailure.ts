import * as pulumi from "@pulumi/pulumi";

import { hookName, parseStep, stepName } from "../plan/steps";
import { advice, REACH_HOST } from "./advice";
import { known } from "./known";

/** A remote script that failed. */
export interface ScriptFailure {
  /** Name of its resource. */
  readonly step: string;
  /** The address of the machine; `isHost` says whether that is the Proxmox host or a node. */
  readonly address: string;
  readonly isHost: boolean;
  /** The command plugin's error. */
  readonly message: string;
}

/* The plugin's errors have no code, so the text says what failed. */

/** The command plugin could not connect, for this reason. */
const UNREACHED = /after \d+ failed attempts: ([^\n]*)/;

/** The script ran; its own output follows. */
const EXITED = "Process exited with status";

/** True if the script may have started. */
export const wasReached = (message: string): boolean => message.includes(EXITED) || !UNREACHED.test(message);

/**
 * The error that a script printed (`fail` in scripts/lib/task.sh), up to its next step; undefined if it printed none. In the
 * plugin's message it comes after the whole command, where nobody reads it.
 */
function ownError(step: string, message: string): string | undefined {
  const lines = message.split("\n");
  const begin = lines.map((line) => line.startsWith(`error: ${step}: `)).lastIndexOf(true);
  if (begin === -1) return undefined;
  const length = lines.slice(begin).findIndex((line) => line.startsWith("next: ")) + 1;
  return lines
    .slice(begin, length === 0 ? undefined : begin + length)
    .join("\n")
    .trimEnd()
    .slice("error: ".length);
}

/**
 * What a failure means and what to do, in the form of the scripts' errors. The command plugin's message begins with the whole
 * command, and if the connection failed it names neither the machine nor a next step.
 * @returns undefined if the script ran to its end without an error of its own
 */
export function explain({ step, address, isHost, message }: ScriptFailure): string | undefined {
  if (message.includes(EXITED)) return ownError(step, message);
  const machine = isHost ? `the Proxmox host (${address})` : address;
  const next = isHost ? REACH_HOST : "pulumi up --refresh, which starts a stopped guest";
  const [, cause] = UNREACHED.exec(message) ?? [];
  if (!isHost && cause?.includes("host key mismatch")) {
    const read = stepName(parseStep(step)?.of ?? step, "host-key");
    return advice(
      `${step}: ${machine} has another SSH host key than before`,
      `if the guest has new host keys, pulumi up --replace '**::${read}'; if not, another machine uses its address`,
    );
  }
  if (cause !== undefined || message.includes("deadline exceeded"))
    return advice(`${step}: ${machine} cannot be reached by SSH: ${cause ?? "no answer in time"}`, next);
  return advice(`${step}: the connection to ${machine} was lost while the script ran`, next);
}

/**
 * Logs what failed and what to do. Pulumi shows it above the command plugin's error. One hook serves all scripts of a
 * cluster, because the scripts of a node that was removed from the program have no hook of their own. It does not retry: the
 * plugin has already tried often enough.
 * @param host the Proxmox host's address, as in every connection to it
 */
export function scriptFailure(cluster: string, host: string): pulumi.ErrorHook {
  return new pulumi.ErrorHook(hookName(cluster, "script-failure"), async ({ name, newInputs, oldInputs, errors }) => {
    // The whole connection is secret because of its key, and the SDK passes such a value to a hook wrapped twice.
    const connection = await known<unknown>((newInputs ?? oldInputs)?.["connection"]);
    const { host: address } = pulumi.runtime.unwrapRpcSecret(connection) as { host: string };
    const text = explain({ step: name, address, isHost: address === host, message: errors[0] ?? "" });
    if (text !== undefined) await pulumi.log.warn(text);
    return false;
  });
}
