import { refusals } from "./refusals";
import type { Problem } from "../config/problems";
import type { ClusterPlan, NodePlan } from "./model";
import { differences } from "./differences";
import type { ClusterRecord, NodeRecord } from "./record";

/** What a change does to a node, from the least to the most disruptive. */
export type NodeEffect = "live" | "systemTrial" | "k3sRestart" | "reboot" | "rebuild" | "leave" | "join";

/** Effects that come with a new machine. */
export const WITH_NEW_MACHINE: readonly NodeEffect[] = ["join", "rebuild"];

export interface NodeChange {
  readonly node: string;
  readonly effect: NodeEffect;
  /** The changed settings, in a person's words: "memory"; empty for a node that joins or leaves. */
  readonly reasons: readonly string[];
  /** For a node that leaves: its further disks, and the guest that keeps them. */
  readonly disks?: { readonly serials: readonly string[]; readonly vmId: number };
}

/** What an `up` would do to an existing cluster, or why it cannot. */
export interface Transitions {
  /** In the plan's order, then the nodes that leave; an unchanged node has none. */
  readonly changes: readonly NodeChange[];
  /** Unsupported changes, each with an alternative that works. */
  readonly refusals: readonly Problem[];
}

/** The most disruptive first. */
const BY_STRENGTH: readonly NodeEffect[] = ["rebuild", "reboot", "k3sRestart", "systemTrial", "live"];

/**
 * What a change will do, before it happens. Pure.
 * @param recorded what the stack's state records; without nodes before the first `up`
 */
export function transitions(recorded: ClusterRecord, plan: ClusterPlan): Transitions {
  const former = { ...recorded, nodes: inOrder(recorded.nodes) };
  const byName = new Map(former.nodes.map((node) => [node.name, node]));
  const changes = plan.nodes.flatMap((node) => changeOf(former, byName.get(node.name), node, plan));
  const planned = new Set(plan.nodes.map(({ name }) => name));
  const leaving = former.nodes.filter(({ name }) => !planned.has(name));
  const all = [...changes, ...leaving.map(leave)];
  return { changes: all, refusals: refusals(former, plan, all) };
}

function leave({ name, disks, disksVmId }: NodeRecord): NodeChange {
  const left = { node: name, effect: "leave", reasons: [] } as const;
  if (disks === undefined || disksVmId === undefined) return left;
  return { ...left, disks: { serials: disks.map(({ serial }) => serial), vmId: disksVmId } };
}

/** The engine and the CLI list the nodes of a state in different orders, but both must show the same text. */
const inOrder = (nodes: readonly NodeRecord[]): NodeRecord[] =>
  [...nodes].sort(({ name: a }, { name: b }) => a.localeCompare(b, "en", { numeric: true }));

function changeOf(
  cluster: ClusterRecord,
  former: NodeRecord | undefined,
  node: NodePlan,
  plan: ClusterPlan,
): NodeChange[] {
  if (!former) return [{ node: node.name, effect: "join", reasons: [] }];
  const changed = differences(cluster, former, node, plan);
  const effect = BY_STRENGTH.find((each) => changed.some((difference) => difference.effect === each));
  if (effect === undefined) return [];
  const reasons = changed.filter((difference) => difference.effect === effect).map(({ words }) => words);
  return [{ node: node.name, effect, reasons }];
}
