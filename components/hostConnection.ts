import * as pulumi from "@pulumi/pulumi";

import type { ClusterPlan } from "../plan/model";
import { DIAL_ERRORS, DIAL_SECONDS } from "../remote/dialing";
import { checkGate } from "../remote/gateCheck";
import type { Connection } from "../remote/RemoteScript";

/**
 * Root on the Proxmox host. In an `up` it is available once the host has proved that it runs this program's scripts, and knows
 * which nodes this run keeps.
 */
export function hostConnection(
  name: string,
  { proxmox: { host, sshPort: port, sshUser: user, hostKey }, nodes, rollout }: ClusterPlan,
  privateKey: pulumi.Output<string>,
  clusterId: pulumi.Output<string>,
): Connection {
  const connection = {
    host,
    port,
    user,
    privateKey,
    hostKey,
    dialErrorLimit: DIAL_ERRORS.host,
    perDialTimeout: DIAL_SECONDS,
  };
  if (pulumi.runtime.isDryRun()) return connection;
  return pulumi.all([privateKey, clusterId]).apply(async ([key, id]) => {
    const run = [`${id} ${rollout.concurrency}`, ...nodes.map((node) => node.name)].join("\n");
    try {
      await checkGate({ host, port, user, hostKey, privateKey: key, dials: 2 }, name, run);
    } catch (error) {
      throw new pulumi.RunError((error as Error).message);
    }
    return { ...connection, privateKey: key };
  });
}
