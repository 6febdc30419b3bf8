import type { FaultSpec } from "../../lab/pve/faults/fault";
import { clusterStepName, isClusterStep, stepName } from "../../plan/steps";

/** The table of docs/reliability.md as data. The page is generated from the rows, and each row is a test. */

/** The command that runs when the fault occurs. */
export type Phase = "up" | "change" | "scale down" | "destroy";

/** Where it occurs: at the machine itself, or at a step, by the last part of its resource's name. */
export type Step =
  | ("roster" | "preflight" | "release-sums" | "ca-hash" | "kubeconfig")
  | ("claim" | "machine" | "lxc" | "host-key" | "leave" | "guard" | "artifacts" | "join" | "quorum" | "k3s")
  | ("ready" | "back");

/** What a person does once the cause is fixed. */
export const REMEDIES = {
  nothing: "nothing: the run goes on by itself",
  again: "run the same command again",
  "again --refresh": "run the same command again, with `--refresh`",
  recover: "run `npx proxmox-k3s recover`, then `pulumi up` (which fails at `NODE-claim` without it)",
} as const;
export type Remedy = keyof typeof REMEDIES;

/**
 * The longest that a step takes, in seconds: a number of its own, or one of the program's bounds, which a test shortens in
 * its copy of the program.
 */
export type Bound = number | ProgramBound;
export type ProgramBound = "timeoutCreate" | "timeoutUpdate" | "timeoutDelete";

export interface Row {
  readonly phase: Phase;
  readonly step: Step;
  /** The part of the step, in words: `request for the container`. */
  readonly part: string;
  /** The fault in words. */
  readonly fault: string;
  /** Each row has a node of its own; the test adds the node's VMID where a fault of this kind takes one. */
  readonly set: FaultSpec;
  /**
   * Set when all of these have begun, as the journal of tests/support/homelab.ts names them with `NODE` and `VMID`; before
   * the run if it is missing.
   */
  readonly from?: readonly string[];
  /**
   * What is printed, in pieces: `…` stands for any text, `NODE` and `VMID` for the node's. Empty where the run goes on.
   */
  readonly sees: readonly string[];
  /** What has to be mended first, where that is not plain from what is seen. */
  readonly mend?: string;
  readonly remedy: Remedy;
  readonly bound: Bound;
  /** The level of the tests at which the row is shown. */
  readonly level: "engine" | "lab";
}

/** Name of the row's test. */
export function titleOf({ step, part, fault }: Row): string {
  return `${step}, ${part}: ${fault}`;
}

/** Name of the resource that the row is about. */
export function resourceOf({ step }: Row, node: string, cluster: string): string {
  switch (step) {
    case "claim":
    case "back":
      return node;
    case "join":
    case "quorum":
      return stepName(node, "k3s");
    default:
      return nameOf(step, node, cluster);
  }
}

/** Name of a step, or of the machine. */
export function nameOf(step: Step, node: string, cluster: string): string {
  if (step === "machine") return node;
  return isClusterStep(step) ? clusterStepName(cluster, step) : stepName(node, step);
}

/** A text with `NODE` and `VMID` filled in. */
export function forNode(text: string, node: string, vmid: number): string {
  return text.replaceAll("NODE", node).replaceAll("VMID", String(vmid));
}

/** A piece of {@link Row.sees} as an expression over a run's output, which breaks no words but lines. */
export function asPattern(piece: string): RegExp {
  const literal = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&").replace(/\s+/g, "\\s+");
  return new RegExp(piece.split("…").map(literal).join("[^]*?"));
}
