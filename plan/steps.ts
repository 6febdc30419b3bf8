/*
 * The steps of a node and of a cluster. A step's name is its resource's, its log's on the machine, and what errors carry.
 */

/** What is done for a node, in the order in which it comes; hooks and commands of the CLI among them. */
export const NODE_STEPS = [
  "claim",
  "lxc",
  "guard",
  "host-key",
  "artifacts",
  "leave",
  "join",
  "k3s",
  "ready",
  "quorum",
  "back",
  "discard",
] as const;
export type NodeStep = (typeof NODE_STEPS)[number];

/** What is done once for a cluster. */
export const CLUSTER_STEPS = [
  "gate-check",
  "anchor",
  "roster",
  "preflight",
  "server-token",
  "agent-token",
  "release-sums",
  "ca-hash",
  "kubeconfig",
  "guests",
  "doctor",
] as const;
export type ClusterStep = (typeof CLUSTER_STEPS)[number];

/** Hooks that are one for all nodes of a cluster; what the engine says of a failed one carries its name. */
export type ClusterHook =
  | ("script-failure" | "machine-failure" | "disk")
  | ("reboot" | "rebooted" | "reboot-failed")
  | ("k3s-turn" | "k3s-changed" | "k3s-failed");

export const stepName = (node: string, step: NodeStep): string => `${node}-${step}`;
export const clusterStepName = (cluster: string, step: ClusterStep): string => `${cluster}-${step}`;
export const hookName = (cluster: string, hook: ClusterHook): string => `${cluster}-${hook}`;

export const isClusterStep = (step: string): step is ClusterStep => CLUSTER_STEPS.some((each) => each === step);

/** Longer names first: `-host-key` also ends in `-key`. */
const STEPS = [...NODE_STEPS, ...CLUSTER_STEPS].sort((a, b) => b.length - a.length);

/** What a step's name says; undefined for a name that is no step's, as the machine's own. */
export function parseStep(name: string): { readonly of: string; readonly step: NodeStep | ClusterStep } | undefined {
  const step = STEPS.find((each) => name.endsWith(`-${each}`));
  return step === undefined ? undefined : { of: name.slice(0, -step.length - 1), step };
}
