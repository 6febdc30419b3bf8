import type { Problem } from "../../config/problems";
import { parseTaint } from "../taints";
import { isLabelValue, isQualifiedName } from "./labels";

/** Kubernetes itself sets and removes the taints under these prefixes. */
export const MANAGED_TAINT = /^node\.(?:cloudprovider\.)?kubernetes\.io\//;

export function checkTaints(path: string, taints: readonly string[]): Problem[] {
  const seen = new Set<string>();
  return taints.flatMap((text, position) => {
    const at = `${path}[${position}]`;
    const taint = parseTaint(text);
    if (!taint || !isQualifiedName(taint.key) || !isLabelValue(taint.value ?? "")) {
      return [
        {
          path: at,
          problem: `must be a taint, not "${text}"`,
          hint: "key=value:Effect or key:Effect with the effect NoSchedule, PreferNoSchedule or NoExecute",
        },
      ];
    }
    if (MANAGED_TAINT.test(taint.key))
      return [{ path: at, problem: `names ${taint.key}, which Kubernetes sets and removes itself` }];
    const identity = `${taint.key}:${taint.effect}`;
    if (seen.has(identity))
      return [{ path: at, problem: `repeats ${identity}`, hint: "a node has one taint for each key and effect" }];
    seen.add(identity);
    return [];
  });
}
