import { differences } from "../../plan/differences";
import { disturbanceOrder } from "../../plan/disturbanceOrder";
import { drainBound, rebootBound, rebuildBound, restartBound } from "../../plan/bounds";
import type { ClusterPlan, NodePlan, NodeRole } from "../../plan/model";
import { type ClusterRecord, isServerRecord, type NodeRecord } from "../../plan/record";
import { losesObjects } from "../../plan/refusals";
import type { NodeChange, NodeEffect, Transitions } from "../../plan/transitions";
import { lossesOf } from "./losses";

/** Parts of an `up`, in their order. `live` changes disturb nothing and take no turn. */
export const PHASES = ["servers", "joins", "turns", "rebuilds", "live", "removals"] as const;
export type Phase = (typeof PHASES)[number];

/** What happens to one node. */
export interface Step {
  readonly phase: Phase;
  readonly node: string;
  /** Absent for a node on which K3s was never installed. */
  readonly role?: NodeRole;
  readonly vmId: number;
  /** The node's pool; absent if the node is no longer in the config. */
  readonly pool?: string;
  readonly effect: NodeEffect;
  /** The node reboots, and then K3s restarts in a separate turn. */
  readonly restartsToo: boolean;
  /** What changes, and how: "memory 8GB → 9GB". */
  readonly why: readonly string[];
  /** Nodes that must be Ready before. */
  readonly after: readonly string[];
  /** Seconds until its pods have moved, at most; absent if it is not drained. */
  readonly drainSeconds?: number;
  /** Seconds that it is away, at most; absent if it is not away, or does not come back. */
  readonly awaySeconds?: number;
  /** What cannot be undone, one sentence each. */
  readonly losses: readonly string[];
}

/** One step for each node, in the order of the changes. Pure. */
export function stepsOf(former: ClusterRecord, plan: ClusterPlan, change: Transitions): Step[] {
  const changes = new Map(change.changes.map((each) => [each.node, each]));
  const standing = new Map(former.nodes.map((node) => [node.name, node]));
  const allLost = losesObjects(former, plan, change.changes);
  const of = (node: NodePlan, after: readonly string[]): Step[] => {
    const its = changes.get(node.name);
    return its ? [stepOf(its, node, standing.get(node.name), { cluster: former, plan, after, allLost })] : [];
  };
  // A server changes only when the one before it is Ready.
  const servers = plan.servers.flatMap((node) => of(node, []));
  const agents = disturbanceOrder(change, plan).flatMap(({ node, after }) => of(node, after));
  const steps = [...servers.map(afterTheOneBefore), ...agents, ...removals(former, plan, change, allLost)];
  // Sorting is stable, so the order inside a phase stays.
  return steps.sort((a, b) => PHASES.indexOf(a.phase) - PHASES.indexOf(b.phase));
}

const afterTheOneBefore = (step: Step, at: number, steps: readonly Step[]): Step =>
  at === 0 ? step : { ...step, after: [steps[at - 1]!.node] };

function stepOf(
  { effect }: NodeChange,
  node: NodePlan,
  former: NodeRecord | undefined,
  {
    cluster,
    plan,
    after,
    allLost,
  }: { cluster: ClusterRecord; plan: ClusterPlan; after: readonly string[]; allLost: boolean },
): Step {
  const { name, role, vmId, pool } = node;
  const changed = former === undefined ? [] : differences(cluster, former, node, plan);
  const restartsToo = effect === "reboot" && changed.some((difference) => difference.effect === "k3sRestart");
  return {
    phase: role === "server" ? "servers" : AGENTS_PHASES[effect],
    node: name,
    role,
    vmId: former?.vmId ?? vmId,
    pool,
    effect,
    restartsToo,
    why: changed.map(({ change }) => change),
    after,
    ...timesOf({ effect, restartsToo, node, allLost }, plan),
    losses: lossesOf(effect, former, node, plan, allLost),
  };
}

const AGENTS_PHASES: Readonly<Record<NodeEffect, Phase>> = {
  join: "joins",
  systemTrial: "turns",
  k3sRestart: "turns",
  reboot: "turns",
  rebuild: "rebuilds",
  live: "live",
  leave: "removals",
};

function timesOf(
  { effect, restartsToo, node, allLost }: Pick<Step, "effect" | "restartsToo"> & { node: NodePlan; allLost: boolean },
  plan: ClusterPlan,
): Pick<Step, "drainSeconds" | "awaySeconds"> {
  switch (effect) {
    case "k3sRestart":
      return { awaySeconds: restartBound(plan) };
    case "reboot":
      return { awaySeconds: rebootBound(node, plan) + (restartsToo ? restartBound(plan) : 0) };
    case "rebuild":
      // Without a server that stays, nothing is drained.
      return {
        ...(allLost && node.role === "server" ? {} : { drainSeconds: drainBound(plan) }),
        awaySeconds: rebuildBound(node, plan),
      };
    case "leave":
      return { drainSeconds: drainBound(plan) };
    case "live":
    case "systemTrial":
    case "join":
      return {};
    default: {
      const exhaustive: never = effect;
      throw new Error(`unknown effect ${String(exhaustive)}`);
    }
  }
}

/** Agents at the same time; then servers, the last one first, each after the next one has left. */
function removals(former: ClusterRecord, plan: ClusterPlan, change: Transitions, allLost: boolean): Step[] {
  const goes = new Set(change.changes.filter(({ effect }) => effect === "leave").map(({ node }) => node));
  const leaving = former.nodes.filter(({ name }) => goes.has(name));
  const servers = leaving.filter(isServerRecord).reverse();
  const agents = leaving.filter((node) => !isServerRecord(node));
  const step = (node: NodeRecord, after: readonly string[]): Step => ({
    phase: "removals",
    node: node.name,
    ...(node.k3s === undefined ? {} : { role: node.k3s.role }),
    vmId: node.vmId,
    effect: "leave",
    restartsToo: false,
    why: [],
    after,
    ...(allLost && isServerRecord(node) ? {} : { drainSeconds: drainBound(plan) }),
    losses: lossesOf("leave", node, undefined, plan, allLost),
  });
  return [
    ...agents.map((node) => step(node, [])),
    ...servers.map((node, at) => step(node, at === 0 ? [] : [servers[at - 1]!.name])),
  ];
}
