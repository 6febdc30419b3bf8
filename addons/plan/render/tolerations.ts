import type { ClusterNode } from "../cluster";

/** A toleration of pods, for every value of a taint. */
export interface Toleration {
  readonly key: string;
  readonly operator: "Exists";
  readonly effect?: ClusterNode["taints"][number]["effect"];
}

/** One toleration for each different taint of the nodes, sorted by name. */
export function tolerationsOf(nodes: readonly ClusterNode[]): Toleration[] {
  const taints = nodes.flatMap((node) => node.taints);
  const named = taints.map(({ key, effect }) => [`${key} ${effect}`, { key, operator: "Exists", effect }] as const);
  return [...new Map(named)].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, toleration]) => toleration);
}
