import type { NodePlan } from "../../plan/model";
import type { ClusterAccess } from "./awaitReadyAgain";
import { runOnHost } from "../../remote/hostTask";
import { stepName } from "../../plan/steps";

/**
 * Waits until etcd keeps its majority without this node; the script runs on the Proxmox host. Agents are not members of etcd.
 * For a server the cluster decides, not the plan: even if the plan has only one, other servers may still be members.
 * @param effect what the change does to the node: "reboot it"
 * @throws Error that names the servers that do not answer, and the next step
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
