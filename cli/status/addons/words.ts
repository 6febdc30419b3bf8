import type { Condition } from "../../../plan/addonsSight";
import type { ClusterPlan } from "../../../plan/model";
import type { Difference } from "../difference";
import type { Place } from "../machines";
import { seenOf } from "../difference";
import type { Sight } from "../sight";

/** What is named of many. */
const SHOWN = 5;

/** The first of these names, and how many there are beside them. */
export function someOf(names: readonly string[], all: number = names.length): string {
  const shown = names.slice(0, SHOWN);
  const more = all - shown.length;
  return more > 0 ? `${shown.join(", ")} and ${more} more` : shown.join(", ");
}

/** The first of these findings, and one more for the rest, which has the last remedy. */
export function firstOf(found: readonly Difference[], rest: (count: number) => Difference): readonly Difference[] {
  return found.length > SHOWN ? [...found.slice(0, SHOWN), rest(found.length - SHOWN)] : found;
}

export const conditionOf = (type: string, conditions: readonly Condition[]): Condition | undefined =>
  conditions.find((each) => each.type === type);
export const isTrue = (type: string, conditions: readonly Condition[]): boolean => {
  const all = conditions.filter((each) => each.type === type);
  return all.length > 0 && all.every(({ status }) => status === "True");
};
/** ` (Reason)`; empty if it gives none of a reason's form. */
export function reasonOf(type: string, conditions: readonly Condition[]): string {
  const reason = conditionOf(type, conditions)?.reason;
  return reason === undefined ? "" : ` (${reason})`;
}

/**
 * Nodes of the plan of which more is said: their guest runs, and Kubernetes has them Ready, as far as that was seen. All others have
 * a line of their own already.
 */
export function wellNodes(plan: ClusterPlan, sight: Sight, places: ReadonlyMap<string, Place>): ClusterPlan["nodes"] {
  const nodes = seenOf(sight.cluster)?.nodes;
  return plan.nodes.filter(({ name }) => {
    const runs = ["running", "unknown", "elsewhere"].includes(places.get(name)!.is);
    return runs && (nodes === undefined || nodes.some((node) => node.name === name && node.isReady));
  });
}
