import type { ClusterPlan } from "./model";
import type { NodeChange, NodeEffect, Transitions } from "./transitions";

/** The words of a preview for effects that disturb a node. */
const WORDS: Readonly<Partial<Record<NodeEffect, string>>> = {
  k3sRestart: "K3s restart",
  reboot: "reboot",
  rebuild: "drain and rebuild",
};

/** One line for each node that the change disturbs or removes, in the plan's order. */
export function announcements({ changes }: Transitions, { rollout: { concurrency } }: ClusterPlan): string[] {
  const pace = concurrency === 1 ? "one node at a time" : `${concurrency} nodes at a time`;
  return changes.flatMap((change) => lineOf(change, pace));
}

function lineOf({ node, effect, reasons }: NodeChange, pace: string): string[] {
  if (effect === "leave") return [`${node}: drain and removal; its guest is destroyed with its disk`];
  const words = WORDS[effect];
  return words === undefined ? [] : [`${node}: ${words}, for its ${reasons.join(" and ")}; ${pace}`];
}
