import type { HostGuest } from "../../cli/recover/guests";
import type { Look, Sight } from "../../cli/status/sight";
import type { AddonsSight } from "../../plan/addonsSight";
import type { ClusterSight, NodeSight } from "../../plan/clusterSight";
import { type ClusterPlan, isEtcdMember, type NodePlan } from "../../plan/model";
import { clusterRecordOf } from "../../plan/record";
import { formatTaint } from "../../plan/taints";

export const AT = new Date("2026-11-28T12:00:00Z");
export const inDays = (days: number): Date => new Date(AT.getTime() + days * 86_400_000);

/** A cluster with K3s alone. */
export const NO_ADDONS: AddonsSight = {
  longhorn: { is: "absent" },
  flux: { is: "absent" },
  prometheus: { is: "absent" },
  ingress: { is: "absent" },
};

/** What `status` sees of a cluster that matches its plan. */
export function goodSight(plan: ClusterPlan): Sight {
  return {
    at: AT,
    state: { guests: plan.nodes.map(({ name, vmId }) => ({ urn: `urn::${name}`, name, vmId })), open: [] },
    record: clusterRecordOf(plan),
    marked: { seen: plan.nodes.map(markedGuest) },
    ofAnotherState: [],
    listed: { seen: plan.nodes.map(({ vmId, name }) => ({ vmId, name, isRunning: true })) },
    storages: {
      seen: [{ name: "local-lvm", isActive: true, totalBytes: 400 * 1024 ** 3, freeBytes: 200 * 1024 ** 3 }],
    },
    cluster: { seen: goodCluster(plan) },
    addons: { seen: NO_ADDONS },
    kubeconfig: { seen: { ends: inDays(300) } },
  };
}

function markedGuest({ vmId, name, kind, proxmoxNode }: NodePlan): HostGuest {
  return { vmId, name, kind, pveNode: proxmoxNode, lock: "", creation: "", unfinished: false };
}

function goodCluster(plan: ClusterPlan): ClusterSight {
  const certificates = plan.servers.flatMap(({ name }) => [
    { server: name, use: "admin" as const, ends: inDays(340) },
    { server: name, use: "serving" as const, ends: inDays(350) },
  ]);
  return {
    servers: plan.servers.map(({ vmId, name }) => ({ vmId, name, answers: true })),
    withEtcd: plan.servers.filter((node) => isEtcdMember(node, plan)).map(({ name }) => name),
    certificates,
    k3s: plan.nodes.map(({ name }) => ({ node: name, runs: true })),
    nodes: plan.nodes.map((node) => nodeSight(node, plan)),
    leaving: [],
    oldFirewall: [],
  };
}

export function nodeSight(node: NodePlan, plan: ClusterPlan): NodeSight {
  return {
    name: node.name,
    isReady: true,
    version: plan.version,
    isCordoned: false,
    labels: node.labels,
    taints: node.taints.map(formatTaint),
    addresses: [node.address],
    isMember: isEtcdMember(node, plan),
  };
}

/** The result of a look that succeeded. */
export const seen = <T>(look: Look<T>): T => (look as { seen: T }).seen;

/** The good sight with a change of the cluster. */
export function withCluster(plan: ClusterPlan, change: (good: ClusterSight) => Partial<ClusterSight>): Sight {
  const good = goodSight(plan);
  return { ...good, cluster: { seen: { ...seen(good.cluster), ...change(seen(good.cluster)) } } };
}

/** The good sight with a change of one Node. */
export function withNode(plan: ClusterPlan, name: string, change: Partial<NodeSight>): Sight {
  return withCluster(plan, ({ nodes }) => ({
    nodes: nodes!.map((each) => (each.name === name ? { ...each, ...change } : each)),
  }));
}
