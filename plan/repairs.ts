import type { CertificateSight, ClusterSight } from "./clusterSight";
import { type ClusterPlan, isEtcdMember, type NodePlan } from "./model";
import { type NodeEffect, type Transitions, WITH_NEW_MACHINE } from "./transitions";

/*
 * What an `up` puts right though nothing in the config has changed: what it sees of a cluster against its plan. Pure.
 */

/** K3s makes a certificate anew when it starts in the last 90 days, since v1.33 in the last 120. */
export const RENEWAL_DAYS = 30;

/** A node whose K3s is started again. */
export interface NodeRepair {
  readonly node: string;
  /** What is wrong and what is done about it, for people. */
  readonly words: string;
}

export interface Repairs {
  readonly nodes: readonly NodeRepair[];
  /** The stack's kubeconfig is read again. */
  readonly kubeconfig: boolean;
  /** Nodes that get the rules of their firewall, because they did not run when the others got them. */
  readonly firewall: readonly string[];
  /** Nodes that a removal which did not end has kept from new pods and from Longhorn's replicas, and that stay: they get both again. */
  readonly staying: readonly string[];
  /** What a run cannot put right, each with what a person does. */
  readonly notices: readonly string[];
}

export const NO_REPAIRS: Repairs = { nodes: [], kubeconfig: false, firewall: [], staying: [], notices: [] };

interface Seen {
  readonly cluster: ClusterSight;
  readonly at: Date;
  /** The end of the certificate in the stack's kubeconfig; undefined if it has none. */
  readonly kubeconfigEnds: Date | undefined;
}

/** @param change what the run does anyway: a node that it makes or makes anew needs no repair */
export function repairs(plan: ClusterPlan, { changes }: Transitions, { cluster, at, kubeconfigEnds }: Seen): Repairs {
  const made = new Set(changes.filter(({ effect }) => WITH_NEW_MACHINE.includes(effect)).map(({ node }) => node));
  const standing = plan.nodes.filter(({ name }) => !made.has(name));
  const lost = new Set(standing.filter((node) => isMissing(node, cluster)).map(({ name }) => name));
  // etcd goes by the Nodes of its servers: whose Node is gone is no member any more, and only a machine made anew is one again.
  const members = standing.filter((node) => lost.has(node.name) && isEtcdMember(node, plan));
  // Which cluster would it be that lists the Nodes?
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
        `${name}: its Node is missing, so etcd has dropped it, and no node is repaired. If it does not come back by itself: pulumi up --replace '**::${name}', which makes it anew`,
    ),
  };
}

/** Those that are disturbed by a repair take turns with all others. */
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

/** Its K3s runs, and Kubernetes does not have it: somebody deleted its Node, which only a start of K3s makes again. */
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

/** The server that the kubeconfig is read from has a certificate that is good for longer, or gets one in this run. */
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
