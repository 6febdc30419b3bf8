import type * as pulumi from "@pulumi/pulumi";

import { readyBound } from "../../plan/bounds";
import type { ClusterPlan, NodePlan } from "../../plan/model";
import { runOnHost } from "../../remote/hostTask";
import type { Connection } from "../../remote/RemoteScript";
import { stepName } from "../../plan/steps";

/** What a check of a node in its cluster needs. */
export interface ClusterAccess {
  readonly plan: ClusterPlan;
  /** Root on the Proxmox host. */
  readonly host: Connection;
  readonly clusterId: pulumi.Output<string>;
}

/**
 * Waits until a node is Ready again after a change; the script runs on the Proxmox host.
 * @param after the change: "its reboot"
 * @throws Error that names the node, the cause and the next step
 */
export function awaitReadyAgain(
  node: NodePlan,
  after: string,
  { plan, host, clusterId }: ClusterAccess,
): Promise<string> {
  const timeout = plan.k3s.startTimeoutSeconds;
  return runOnHost(host, {
    task: "back",
    action: "look",
    step: stepName(node.name, "back"),
    title: `${node.name} is Ready again after ${after}`,
    lock: `ready-${node.vmId}`,
    boundSeconds: readyBound(plan),
    args: { VMID: node.vmId, NAME: node.name, ROLE: node.role, AFTER: after, TIMEOUT: timeout },
    inputs: { CLUSTER_ID: clusterId },
  });
}
