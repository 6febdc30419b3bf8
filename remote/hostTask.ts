import type * as pulumi from "@pulumi/pulumi";

import type { CommandText } from "./script";
import type { ArgumentName } from "./shapes";
import { advice, REACH_HOST } from "./advice";
import { known } from "./known";
import type { Connection } from "./RemoteScript";
import { ConnectionError, runTask } from "./sshClient";

/** A task for the Proxmox host. Its values may be outputs that are not known yet. */
export interface HostTask extends CommandText {
  readonly inputs: Readonly<Partial<Record<ArgumentName, pulumi.Input<string>>>>;
}

/**
 * Runs a task from a hook, once all its values are known.
 * @throws Error that names the step, the cause and the next step
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
