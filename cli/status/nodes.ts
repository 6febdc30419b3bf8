import type { ClusterSight, NodeSight } from "../../plan/clusterSight";
import { MACHINE_KINDS } from "../../plan/machineKinds";
import { type ClusterPlan, isEtcdMember, type NodePlan } from "../../plan/model";
import { formatTaint } from "../../plan/taints";
import { fail, ok } from "../doctor/finding";
import { broken, type Difference, odd, unseen } from "./difference";
import type { Place } from "./machines";
import type { Sight } from "./sight";

/** The checks of the Nodes. */
const CHECKS = ["nodes", "versions", "labels"];

/** Compares Kubernetes' side of the cluster with the plan. */
export function checkCluster(plan: ClusterPlan, sight: Sight, places: ReadonlyMap<string, Place>): Difference[] {
  const { cluster } = sight;
  const checks = plan.k3s.datastore === "etcd" ? [...CHECKS, "etcd"] : CHECKS;
  if (!("seen" in cluster)) return ["servers", ...checks].map((check) => unseen(check, cluster));
  const { nodes } = cluster.seen;
  const servers = checkServers(plan, cluster.seen, places);
  if (!nodes) return [...servers, ...checks.map((check) => unseen(check, { why: "no server answers" }))];
  const byName = new Map(nodes.map((node) => [node.name, node]));
  // A guest that does not run has its own line, and so has a node that does not exist yet.
  const expected = plan.nodes.filter(({ name }) => ["running", "unknown", "elsewhere"].includes(places.get(name)!.is));
  const pairs = expected.map((planned) => [planned, byName.get(planned.name)] as const);
  const there = pairs.flatMap(([planned, node]) => (node ? [[planned, node] as const] : []));
  return [
    ...servers,
    ...orWell("nodes", `${there.length} Ready, none foreign`, [
      ...pairs.flatMap(([planned, node]) => presence(planned, node, plan, cluster.seen)),
      ...nodes.flatMap((node) => cordon(node, plan, cluster.seen)),
      ...nodes.flatMap((node) => foreign(node, plan, sight)),
    ]),
    ...orWell(
      "versions",
      `all Nodes run ${plan.version}`,
      there.flatMap((pair) => version(pair, plan, sight)),
    ),
    ...orWell("labels", "all labels and taints of the plan are there", there.flatMap(marks)),
    ...checkEtcd(plan, cluster.seen, there),
    ...checkFirewall(plan, cluster.seen),
  ];
}

/** A node that did not run when the others got their rules may block a node that has joined since. */
function checkFirewall(plan: ClusterPlan, { oldFirewall }: ClusterSight): readonly Difference[] {
  if (plan.firewall === undefined) return [];
  const found = plan.nodes
    .filter(({ name }) => oldFirewall.includes(name))
    .map(({ name }) => broken("firewall", name, "runs without the latest rules of its firewall", "pulumi up"));
  return orWell("firewall", "all running nodes have its latest rules", found);
}

const orWell = (check: string, seen: string, found: readonly Difference[]): readonly Difference[] =>
  found.length > 0 ? found : [ok(check, seen)];

const unitOf = ({ role }: NodePlan): string => (role === "server" ? "k3s" : "k3s-agent");
const inGuest = ({ kind, vmId, proxmoxNode }: NodePlan, command: string): string =>
  `${MACHINE_KINDS[kind].exec(vmId, command)} on ${proxmoxNode}`;
/** K3s registers its Node, and sets its address and labels, when it starts. */
const restart = (node: NodePlan): string => inGuest(node, `systemctl restart ${unitOf(node)}`);
/** What an `up` does for a node whose service is stopped (plan/repairs.ts). */
const START = "pulumi up, which starts it";
const isStopped = ({ name }: NodePlan, { k3s }: Pick<ClusterSight, "k3s">): boolean =>
  k3s.some(({ node, runs }) => node === name && !runs);
const journal = (node: NodePlan): string => inGuest(node, `journalctl -u ${unitOf(node)}`);

function checkServers(
  plan: ClusterPlan,
  { servers, k3s }: Pick<ClusterSight, "servers" | "k3s">,
  places: ReadonlyMap<string, Place>,
): Difference[] {
  const silent = servers.filter(({ answers }) => !answers);
  const found = silent.flatMap(({ name, vmId }) => {
    const planned = plan.servers.find((node) => node.name === name);
    if (!planned)
      return [fail("servers", `${name} (${vmId}) is no longer in the plan, and does not answer`, "pulumi up")];
    // A guest that does not run has its own line.
    if (!["running", "unknown"].includes(places.get(name)!.is)) return [];
    return [
      broken(
        "servers",
        name,
        "does not answer: its K3s API is down",
        isStopped(planned, { k3s }) ? START : `${restart(planned)}; ${journal(planned)} says why`,
      ),
    ];
  });
  if (found.length > 0) return found;
  const count = servers.length - silent.length;
  return [
    count > 0
      ? ok("servers", `${count} of ${servers.length} answer`)
      : fail("servers", "none answers", "start a server's guest"),
  ];
}

/** The Node exists, is Ready, and has its address. */
function presence(
  planned: NodePlan,
  node: NodeSight | undefined,
  plan: ClusterPlan,
  cluster: ClusterSight,
): Difference[] {
  const { name, vmId, address } = planned;
  if (isStopped(planned, cluster)) return [broken("nodes", name, "has a K3s that does not run", START)];
  if (!node)
    return [
      broken(
        "nodes",
        name,
        `is not in Kubernetes, though guest ${vmId} runs`,
        // etcd has removed the member of a server whose Node is gone.
        isEtcdMember(planned, plan)
          ? `pulumi up --replace '**::${name}', if it does not come back by itself`
          : "pulumi up, which restarts its K3s, and that registers it again",
      ),
    ];
  if (!node.isReady) return [broken("nodes", name, "is NotReady", `${restart(planned)}; ${journal(planned)} says why`)];
  if (node.addresses.length > 0 && !node.addresses.includes(address))
    return [broken("nodes", name, `has the address ${node.addresses.join(", ")}, not ${address}`, restart(planned))];
  return [];
}

function cordon({ name, isCordoned }: NodeSight, plan: ClusterPlan, { leaving }: ClusterSight): Difference[] {
  const isLeaving = leaving.includes(name);
  if (!isLeaving && isCordoned)
    return [odd("nodes", name, "is cordoned by somebody: it takes no new pods", `kubectl uncordon ${name}`)];
  if (!isLeaving) return [];
  const isPlanned = plan.nodes.some((node) => node.name === name);
  return [
    odd(
      "nodes",
      name,
      `is ${isCordoned ? "cordoned" : "kept from Longhorn's replicas"} by a removal of this program that did not end`,
      `pulumi up, which ${isPlanned ? "undoes that" : "goes on with the removal"}`,
    ),
  ];
}

/** A Node that is neither in the plan nor in the state. */
function foreign({ name }: NodeSight, plan: ClusterPlan, { record }: Sight): Difference[] {
  if ([...plan.nodes, ...record.nodes].some((node) => node.name === name)) return [];
  const remedy = `kubectl delete node ${name}, if nobody wants it; a machine that still runs its K3s registers it again`;
  return [broken("nodes", name, "is a Node that is not in the plan", remedy)];
}

function version([planned, node]: readonly [NodePlan, NodeSight], plan: ClusterPlan, { record }: Sight): Difference[] {
  if (node.version === plan.version) return [];
  const applied = record.nodes.find(({ name }) => name === planned.name)?.k3s?.version;
  // An `up` sees only a version that differs from the state.
  const remedy =
    applied === plan.version
      ? `${restart(planned)}; if that does not help, somebody installed another K3s there`
      : "pulumi up";
  return [
    broken("versions", planned.name, `runs ${node.version ?? "an unknown version"}, not ${plan.version}`, remedy),
  ];
}

/** Labels and taints of the plan. Those that others added stay. */
function marks([{ name, labels, taints }, node]: readonly [NodePlan, NodeSight]): Difference[] {
  const lostLabels = Object.entries(labels).filter(([key, value]) => node.labels[key] !== value);
  const lostTaints = taints.map(formatTaint).filter((taint) => !node.taints.includes(taint));
  const label = lostLabels.map(([key, value]) => `${key}=${value}`);
  return [
    ...label.map((each) =>
      broken("labels", name, `lacks the label ${each}`, `kubectl label node ${name} --overwrite ${each}`),
    ),
    ...lostTaints.map((each) =>
      broken("labels", name, `lacks the taint ${each}`, `kubectl taint node ${name} --overwrite ${each}`),
    ),
  ];
}

/** If the servers have etcd: each is a member, and each member has its Node. */
function checkEtcd(
  plan: ClusterPlan,
  { withEtcd }: ClusterSight,
  there: readonly (readonly [NodePlan, NodeSight])[],
): readonly Difference[] {
  const wanted = there.filter(([planned]) => isEtcdMember(planned, plan));
  if (wanted.length === 0) return [];
  const members = new Set(there.filter(([, { isMember }]) => isMember).map(([, { name }]) => name));
  const lacking = wanted.filter(([{ name }]) => !members.has(name));
  const found = lacking.map(([planned]) => {
    const seen = withEtcd.includes(planned.name)
      ? "has a member of etcd that its Node does not name: it cannot leave"
      : "is not a member of etcd";
    return broken("etcd", planned.name, seen, `${restart(planned)}; ${journal(planned)} says why`);
  });
  return orWell("etcd", `${members.size} members`, found);
}
