import * as pulumi from "@pulumi/pulumi";

import { hookName, parseStep, stepName } from "../plan/steps";
import { advice, REACH_HOST } from "./advice";
import { known } from "./known";

/** A remote script that did not end well. */
export interface ScriptFailure {
  /** Name of its resource. */
  readonly step: string;
  /** Where it runs: an address, and whether that is the Proxmox host or a node. */
  readonly address: string;
  readonly isHost: boolean;
  /** What the command plugin says. */
  readonly message: string;
}

/* What failed is read from the plugin's words, as its errors carry no code. */

/** The command plugin gave up dialling, for this reason. */
const UNREACHED = /after \d+ failed attempts: ([^\n]*)/;

/** The script ran, and what follows is its own output. */
const EXITED = "Process exited with status";

/** Whether the script may have begun. */
export const wasReached = (message: string): boolean => message.includes(EXITED) || !UNREACHED.test(message);

/**
 * What a failure of the connection means and what to do, in the form of the scripts' own errors: the command plugin's
 * message names neither the machine nor a way on.
 * @returns undefined where the script ran to its end and has said so itself
 */
export function explain({ step, address, isHost, message }: ScriptFailure): string | undefined {
  if (message.includes(EXITED)) return undefined;
  const machine = isHost ? `the Proxmox host (${address})` : address;
  const next = isHost ? REACH_HOST : "pulumi up --refresh, which starts a guest that has ended";
  const [, cause] = UNREACHED.exec(message) ?? [];
  if (!isHost && cause?.includes("host key mismatch")) {
    const read = stepName(parseStep(step)?.of ?? step, "host-key");
    return advice(
      `${step}: ${machine} shows another SSH host key than it had`,
      `if the guest's keys were made anew, pulumi up --replace '**::${read}'; else somebody else has its address`,
    );
  }
  if (cause !== undefined || message.includes("deadline exceeded"))
    return advice(`${step}: ${machine} cannot be reached by SSH: ${cause ?? "no answer in time"}`, next);
  return advice(`${step}: the connection to ${machine} was lost while the script ran`, next);
}

/**
 * Speaks when the command plugin could not reach a machine or lost it. One for all scripts of a cluster, because those of
 * a node that has gone from the program have no hook of their own any more. The plugin has dialled often enough: no
 * further attempt is asked for.
 * @param host the Proxmox host's address, as in every connection to it
 */
export function scriptFailure(cluster: string, host: string): pulumi.ErrorHook {
  return new pulumi.ErrorHook(hookName(cluster, "script-failure"), async ({ name, newInputs, oldInputs, errors }) => {
    // A secret as a whole because of its key, and the SDK hands a hook such a one wrapped twice.
    const connection = await known<unknown>((newInputs ?? oldInputs)?.["connection"]);
    const { host: address } = pulumi.runtime.unwrapRpcSecret(connection) as { host: string };
    const text = explain({ step: name, address, isHost: address === host, message: errors[0] ?? "" });
    if (text !== undefined) await pulumi.log.warn(text);
    return false;
  });
}
