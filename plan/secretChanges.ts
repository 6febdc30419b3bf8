import type { ClusterPlan } from "./model";
import type { NodeEffect, Transitions } from "./transitions";

/** Effects that do not restart K3s. */
const RUNS_ON: readonly NodeEffect[] = ["live", "systemTrial"];

/** The same word as in `differences.ts`. */
const REGISTRIES = "registries";

/**
 * Adds the nodes that get another password or CA for a registry to a change. The plan has neither, so {@link transitions} cannot
 * see this. Pure.
 * @param nodes whose `registries.yaml` or CAs differ from those in the state
 */
export function withRegistryChanges(
  change: Transitions,
  plan: Pick<ClusterPlan, "nodes">,
  nodes: ReadonlySet<string>,
): Transitions {
  const known = new Map(change.changes.map((each) => [each.node, each]));
  const planned = new Set(plan.nodes.map(({ name }) => name));
  const changes = plan.nodes.flatMap(({ name }) => {
    const its = known.get(name);
    if (!nodes.has(name)) return its ?? [];
    if (its === undefined || RUNS_ON.includes(its.effect))
      return { node: name, effect: "k3sRestart" as const, reasons: [REGISTRIES] };
    if (its.effect !== "k3sRestart" || its.reasons.includes(REGISTRIES)) return its;
    return { ...its, reasons: [...its.reasons, REGISTRIES] };
  });
  return { ...change, changes: [...changes, ...change.changes.filter(({ node }) => !planned.has(node))] };
}
