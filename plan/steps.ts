/*
 * The steps of a node and of a cluster. A step's name is also the name of its Pulumi resource and of its log on the machine,
 * and errors show it.
 */

/** The steps of a node, in their order. Some are hooks or commands of the CLI. */
export const NODE_STEPS = [
  "claim",
  "lxc",
  "disks",
  "vm",
  "guard",
  "host-key",
  "artifacts",
  "rules-trial",
  "rules",
  "packages",
  "storage",
  "page",
  "leave",
  "join",
  "nixos-trial",
  "nixos-keep",
  "k3s",
  "ready",
  "quorum",
  "back",
  "discard",
] as const;
export type NodeStep = (typeof NODE_STEPS)[number];

/** The steps that a cluster has once. */
export const CLUSTER_STEPS = [
  "gate-check",
  "anchor",
  "roster",
  "firewall-trial",
  "firewall",
  "preflight",
  "snippet",
  "server-token",
  "agent-token",
  "release-sums",
  "ca-hash",
  "kubeconfig",
  "guests",
  "doctor",
  "status",
  "onboarding",
  "check",
  "addons",
] as const;
export type ClusterStep = (typeof CLUSTER_STEPS)[number];

/** Hooks that exist once for all nodes of a cluster. If one fails, the engine's message contains its name. */
export type ClusterHook =
  | ("script-failure" | "machine-failure" | "image-failure" | "disk" | "cloned" | "clone-failed")
  | ("reboot" | "rebooted" | "reboot-failed")
  | ("k3s-turn" | "k3s-changed" | "k3s-failed" | "first-ca-hash");

export const stepName = (node: string, step: NodeStep): string => `${node}-${step}`;
export const clusterStepName = (cluster: string, step: ClusterStep): string => `${cluster}-${step}`;
export const hookName = (cluster: string, hook: ClusterHook): string => `${cluster}-${hook}`;

export const isClusterStep = (step: string): step is ClusterStep => CLUSTER_STEPS.some((each) => each === step);

/** Longer names first: `-host-key` also ends in `-key`. */
const STEPS = [...NODE_STEPS, ...CLUSTER_STEPS].sort((a, b) => b.length - a.length);

/** Parses the name of a step; undefined if it is not one, for example the name of a machine. */
export function parseStep(name: string): { readonly of: string; readonly step: NodeStep | ClusterStep } | undefined {
  const step = STEPS.find((each) => name.endsWith(`-${each}`));
  return step === undefined ? undefined : { of: name.slice(0, -step.length - 1), step };
}
