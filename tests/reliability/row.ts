import type { FaultSpec } from "../../lab/pve/faults/fault";
import { clusterStepName, isClusterStep, stepName } from "../../plan/steps";

/** The table of docs/reliability.md as data. `npm run docs` generates the page from the rows, and each row is a test. */

/** The command that runs when the fault occurs. */
export type Phase = "up" | "change" | "scale down" | "destroy";

/** Where the fault occurs: at the machine itself, or at a step, by the last part of its resource's name. */
export type Step =
  | ("roster" | "preflight" | "release-sums" | "ca-hash" | "kubeconfig")
  | ("claim" | "machine" | "lxc" | "host-key" | "leave" | "guard" | "artifacts" | "join" | "quorum" | "k3s")
  | ("ready" | "back");

/** What a person does once the cause is fixed. */
export const REMEDIES = {
  nothing: "nothing: the run continues by itself",
  again: "run the same command again",
  "again --refresh": "run the same command again, with `--refresh`",
  recover: "run `npx proxmox-k3s recover`, then `pulumi up` (which fails at `NODE-claim` without it)",
} as const;
export type Remedy = keyof typeof REMEDIES;

/**
 * The longest time that a step takes, in seconds: a number, or one of the program's bounds, which a test shortens in
 * its copy of the program.
 */
export type Bound = number | ProgramBound;
export type ProgramBound = "timeoutCreate" | "timeoutUpdate" | "timeoutDelete";

export interface Row {
  readonly phase: Phase;
  readonly step: Step;
  /** The part of the step, in words: `request for the container`. */
  readonly part: string;
  /** The fault, in words. */
  readonly fault: string;
  /** Each row has its own node. If a fault of this kind needs a VMID, the test adds the node's. */
  readonly set: FaultSpec;
  /**
   * The fault is set when all of these have begun; names as in the journal of tests/support/homelab.ts, with `NODE` and `VMID`.
   * Without it, the fault is set before the run.
   */
  readonly from?: readonly string[];
  /**
   * The printed text, in pieces: `…` stands for any text, `NODE` and `VMID` for the node's. Empty if the run succeeds.
   */
  readonly sees: readonly string[];
  /** What to fix first, if the printed text does not say it. */
  readonly fix?: string;
  readonly remedy: Remedy;
  readonly bound: Bound;
  /** The level of tests that has the row's test. */
  readonly level: "engine" | "lab";
}

/** Name of the row's test. */
export function titleOf({ step, part, fault }: Row): string {
  return `${step}, ${part}: ${fault}`;
}

/** Name of the row's resource. */
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

/** Resource name of a step or of the machine. */
export function nameOf(step: Step, node: string, cluster: string): string {
  if (step === "machine") return node;
  return isClusterStep(step) ? clusterStepName(cluster, step) : stepName(node, step);
}

/** Replaces `NODE` and `VMID` in a text. */
export function forNode(text: string, node: string, vmid: number): string {
  return text.replaceAll("NODE", node).replaceAll("VMID", String(vmid));
}

/** A piece of {@link Row.sees} as a regular expression for a run's output, which breaks lines only between words. */
export function asPattern(piece: string): RegExp {
  const literal = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&").replace(/\s+/g, "\\s+");
  return new RegExp(piece.split("…").map(literal).join("[^]*?"));
}
