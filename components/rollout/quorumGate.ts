import type { NodePlan } from "../../plan/model";
import type { ClusterAccess } from "./awaitReadyAgain";
import { runOnHost } from "../../remote/hostTask";
import { stepName } from "../../plan/steps";

/**
 * Waits on the Proxmox host until the other servers hold etcd's majority while this node is disturbed. An agent has no part in
 * it; whether a server has, the cluster knows: the plan's only one may still have others beside it.
 * @param effect what the disturbance does, "reboot it"
 * @throws Error that names the servers which do not answer, and what to do
 */
export async function requireQuorumWithout(node: NodePlan, effect: string, access: ClusterAccess): Promise<void> {
  if (node.role !== "server") return;
  await runOnHost(access.host, {
    task: "quorum",
    action: "look",
    step: stepName(node.name, "quorum"),
    title: `etcd keeps its majority without ${node.name}`,
    lock: `ready-${node.vmId}`,
    boundSeconds: 300,
    args: { NAME: node.name, EFFECT: effect },
    inputs: { CLUSTER_ID: access.clusterId },
  });
}
