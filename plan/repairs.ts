import type { CertificateSight, ClusterSight } from "./clusterSight";
import { type ClusterPlan, isEtcdMember, type NodePlan } from "./model";
import { type NodeEffect, type Transitions, WITH_NEW_MACHINE } from "./transitions";

/** What an `up` repairs even if the config has not changed. It compares what it sees of the cluster with the plan. Pure. */

/** K3s renews a certificate if it starts in the certificate's last 90 days; since v1.33, in the last 120 days. */
export const RENEWAL_DAYS = 30;

/** A node whose K3s is started or restarted. */
export interface NodeRepair {
  readonly node: string;
  /** What is wrong and what is done about it, for people. */
  readonly words: string;
}

export interface Repairs {
  readonly nodes: readonly NodeRepair[];
  /** The stack's kubeconfig is read again. */
  readonly kubeconfig: boolean;
  /** Nodes that get the rules of their firewall now, because they did not run when the others got them. */
  readonly firewall: readonly string[];
  /** Nodes that stay although a removal of them began and did not end. They get new pods and replicas of Longhorn again. */
  readonly staying: readonly string[];
  /** What a run cannot repair, each with what a person must do. */
  readonly notices: readonly string[];
}

export const NO_REPAIRS: Repairs = { nodes: [], kubeconfig: false, firewall: [], staying: [], notices: [] };

interface Seen {
  readonly cluster: ClusterSight;
  readonly at: Date;
  /** The end of the certificate in the stack's kubeconfig; undefined if it has none. */
  readonly kubeconfigEnds: Date | undefined;
}

/** @param change what the run does anyway: a node that it creates, or creates again, needs no repair */
export function repairs(plan: ClusterPlan, { changes }: Transitions, { cluster, at, kubeconfigEnds }: Seen): Repairs {
  const made = new Set(changes.filter(({ effect }) => WITH_NEW_MACHINE.includes(effect)).map(({ node }) => node));
  const standing = plan.nodes.filter(({ name }) => !made.has(name));
  const lost = new Set(standing.filter((node) => isMissing(node, cluster)).map(({ name }) => name));
  // etcd removes the member of a server whose Node is gone. Only a new machine can become a member again.
  const members = standing.filter((node) => lost.has(node.name) && isEtcdMember(node, plan));
  // If a member is lost, it is not known whether the listed Nodes are those of this cluster.
  const nodes = members.length > 0 ? [] : standing.flatMap((node) => repairOf(node, lost, cluster, at));
  const repaired = new Set(nodes.map(({ node }) => node));
  return {
    nodes,
    firewall:
      plan.firewall === undefined
        ? []
        : standing.map(({ name }) => name).filter((name) => cluster.oldFirewall.includes(name)),
    staying: standing
      .map(({ name }) => name)
      .filter((name) => cluster.leaving.includes(name) && isReady(name, cluster)),
    kubeconfig: kubeconfigEnds !== undefined && isRenewed(cluster, repaired, kubeconfigEnds, at),
    notices: members.map(
      ({ name }) =>
        `${name}: its Node is missing, so etcd has dropped it, and no node is repaired. If it does not come back by itself: pulumi up --replace '**::${name}', which creates it again`,
    ),
  };
}

/** Nodes that a repair disturbs take turns with all others. */
export function withRepairs(change: Transitions, { nodes }: Repairs): Transitions {
  const runsOn: readonly NodeEffect[] = ["live", "systemTrial"];
  const disturbed = new Set(change.changes.filter(({ effect }) => !runsOn.includes(effect)).map(({ node }) => node));
  const added = nodes.filter(({ node }) => !disturbed.has(node)).map(({ node }) => node);
  return {
    ...change,
    changes: [
      ...change.changes.filter(({ node }) => !added.includes(node)),
      ...added.map((node) => ({ node, effect: "k3sRestart" as const, reasons: [] })),
    ],
  };
}

const k3sOf = ({ name }: NodePlan, { k3s }: ClusterSight): boolean | undefined =>
  k3s.find(({ node }) => node === name)?.runs;

const isReady = (name: string, { nodes }: ClusterSight): boolean =>
  nodes?.some((node) => node.name === name && node.isReady) === true;

/** Its K3s runs, but Kubernetes has no Node for it: somebody deleted the Node. Only a start of K3s registers it again. */
function isMissing(node: NodePlan, cluster: ClusterSight): boolean {
  return k3sOf(node, cluster) === true && cluster.nodes?.some(({ name }) => name === node.name) === false;
}

function repairOf(node: NodePlan, lost: ReadonlySet<string>, cluster: ClusterSight, at: Date): NodeRepair[] {
  const { name } = node;
  const runs = k3sOf(node, cluster);
  if (runs === false) return [{ node: name, words: `${name}: its K3s does not run; it is started` }];
  if (lost.has(name))
    return [{ node: name, words: `${name}: its Node is missing; K3s is restarted there, which registers it again` }];
  const ends = runs ? earliest(cluster.certificates.filter(({ server }) => server === name)) : undefined;
  if (node.role !== "server" || ends === undefined || !endsSoon(ends, at)) return [];
  const date = ends.toISOString().slice(0, 10);
  return [
    { node: name, words: `${name}: a certificate ends on ${date}; K3s is restarted there, which makes a new one` },
  ];
}

const DAY = 86_400_000;
const endsSoon = (ends: Date, at: Date): boolean => ends.getTime() - at.getTime() <= RENEWAL_DAYS * DAY;

/** The server that the kubeconfig is read from has a certificate that lasts longer, or gets a new one in this run. */
function isRenewed(
  { servers, certificates }: ClusterSight,
  repaired: ReadonlySet<string>,
  ends: Date,
  at: Date,
): boolean {
  const { name } = servers.find(({ answers }) => answers) ?? servers[0] ?? {};
  const own = certificates.find(({ server, use }) => server === name && use === "admin")?.ends;
  if (name === undefined || own === undefined) return false;
  return own.getTime() - ends.getTime() >= DAY || (repaired.has(name) && endsSoon(own, at));
}

const earliest = (certificates: readonly CertificateSight[]): Date | undefined =>
  certificates.flatMap(({ ends }) => ends ?? []).sort((a, b) => a.getTime() - b.getTime())[0];
