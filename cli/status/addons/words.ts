import type { Condition } from "../../../plan/addonsSight";
import type { ClusterPlan } from "../../../plan/model";
import type { Difference } from "../difference";
import type { Place } from "../machines";
import { seenOf } from "../difference";
import type { Sight } from "../sight";

/** How many names a message lists. */
const SHOWN = 5;

/** The first of these names, and how many more there are. */
export function someOf(names: readonly string[], all: number = names.length): string {
  const shown = names.slice(0, SHOWN);
  const more = all - shown.length;
  return more > 0 ? `${shown.join(", ")} and ${more} more` : shown.join(", ");
}

/** The first of these findings, and one finding for all others, with the remedy of the last one. */
export function firstOf(found: readonly Difference[], rest: (count: number) => Difference): readonly Difference[] {
  return found.length > SHOWN ? [...found.slice(0, SHOWN), rest(found.length - SHOWN)] : found;
}

export const conditionOf = (type: string, conditions: readonly Condition[]): Condition | undefined =>
  conditions.find((each) => each.type === type);
export const isTrue = (type: string, conditions: readonly Condition[]): boolean => {
  const all = conditions.filter((each) => each.type === type);
  return all.length > 0 && all.every(({ status }) => status === "True");
};
/** ` (Reason)`; empty if the condition has none, or if it does not have the form of a reason. */
export function reasonOf(type: string, conditions: readonly Condition[]): string {
  const reason = conditionOf(type, conditions)?.reason;
  return reason === undefined ? "" : ` (${reason})`;
}

/**
 * Nodes of the plan that are checked further: their guest runs, and they are Ready in Kubernetes, as far as this is known. All
 * others already have their own line.
 */
export function wellNodes(plan: ClusterPlan, sight: Sight, places: ReadonlyMap<string, Place>): ClusterPlan["nodes"] {
  const nodes = seenOf(sight.cluster)?.nodes;
  return plan.nodes.filter(({ name }) => {
    const runs = ["running", "unknown", "elsewhere"].includes(places.get(name)!.is);
    return runs && (nodes === undefined || nodes.some((node) => node.name === name && node.isReady));
  });
}
