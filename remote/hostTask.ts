import type * as pulumi from "@pulumi/pulumi";

import type { CommandText } from "./script";
import type { ArgumentName } from "./tasks";
import { advice, REACH_HOST } from "./advice";
import { known } from "./known";
import type { Connection } from "./RemoteScript";
import { ConnectionError, runTask } from "./sshClient";

/** A task for the Proxmox host whose values the program may still be waiting for. */
export interface HostTask extends CommandText {
  readonly inputs: Readonly<Partial<Record<ArgumentName, pulumi.Input<string>>>>;
}

/**
 * Runs a task from a hook, once all that it needs is known.
 * @throws Error that names the step, the cause and what to do
 */
export async function runOnHost(connection: Connection, { inputs, ...text }: HostTask): Promise<string> {
  const { to, values } = await known({ to: connection, values: inputs });
  const { host, port = 22, user = "root", privateKey = "", hostKey = "" } = to;
  try {
    return await runTask({ host, port, user, privateKey, hostKey }, { ...text, inputs: values });
  } catch (error) {
    if (!(error instanceof ConnectionError)) throw error;
    throw new Error(advice(`${text.step}: ${error.message}`, REACH_HOST), { cause: error });
  }
}
