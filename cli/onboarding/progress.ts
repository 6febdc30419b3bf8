import {
  ONBOARDING_STEPS,
  type OnboardingReport,
  type OnboardingStep,
  onboardingSteps,
  type Progress,
  progressOf,
  type StepReport,
} from "../../plan/onboarding";
import type { ClusterPlan } from "../../plan/model";
import type { OnboardingReports } from "../../remote/askOnboarding";
import { alignRows } from "../status/table";

/** A node of the plan and its progress. */
export interface NodeProgress {
  readonly name: string;
  readonly address: string;
  readonly progress: Progress;
  /** Undefined while there is no report: the node does not exist yet, does not answer, or has no report and no K3s. */
  readonly steps: OnboardingReport | undefined;
}

export interface ClusterProgress {
  readonly cluster: string;
  readonly at: Date;
  readonly progress: Progress;
  readonly nodes: readonly NodeProgress[];
  /** Why the nodes could not be asked. */
  readonly unasked?: string;
}

/**
 * The plan's nodes and their reports. Pure.
 * @param asked the reports, or why there are none
 */
export function clusterProgress(plan: ClusterPlan, asked: OnboardingReports | Error, at: Date): ClusterProgress {
  const reports: OnboardingReports = asked instanceof Error ? new Map() : asked;
  const nodes = plan.nodes.map(({ name, address }) => {
    const steps = reports.get(name);
    return { name, address, progress: progressOf(steps), steps };
  });
  const has = (progress: Progress): boolean => nodes.some((node) => node.progress === progress);
  const progress = has("failed") ? "failed" : has("unfinished") ? "unfinished" : "done";
  return { cluster: plan.name, at, progress, nodes, ...(asked instanceof Error ? { unasked: asked.message } : {}) };
}

export const STATE_SIGNS: Readonly<Record<StepReport["state"], string>> = {
  pending: "·",
  running: "…",
  done: "✓",
  skipped: "–",
  failed: "✗",
};

/** "2 of 3 nodes are done, 1 has failed" */
export function summaryOf({ nodes }: ClusterProgress): string {
  const count = (progress: Progress): number => nodes.filter((node) => node.progress === progress).length;
  const failed = count("failed");
  const done = `${count("done")} of ${nodes.length} nodes ${nodes.length === 1 ? "is" : "are"} done`;
  return failed === 0 ? done : `${done}, ${failed} ${failed === 1 ? "has" : "have"} failed`;
}

/** The steps that a person waits for or has to fix: running and failed ones. */
export function openSteps({ steps }: NodeProgress): (StepReport & { readonly step: OnboardingStep })[] {
  if (!steps) return [];
  return onboardingSteps
    .map((step) => ({ step, ...steps[step] }))
    .filter(({ state }) => state === "running" || state === "failed");
}

/** For a person: a line for each node with a sign for each step, then the running and the failed steps. */
export function renderProgress(progress: ClusterProgress): string {
  const rows = progress.nodes.map(({ name, steps }) => [
    name,
    ...onboardingSteps.map((step) => (steps ? STATE_SIGNS[steps[step].state] : " ")),
    ...(steps ? [] : ["no report yet"]),
  ]);
  const head = ["NODE", ...onboardingSteps.map((step) => ONBOARDING_STEPS[step])];
  const open = progress.nodes.flatMap((node) =>
    openSteps(node).map(
      ({ step, state, time, message }) =>
        `${STATE_SIGNS[state]} ${node.name} ${step} ${state}${time ? ` since ${time}` : ""}: ${message}`,
    ),
  );
  const body = [`${progress.cluster}: ${summaryOf(progress)}`, "", ...alignRows([head, ...rows])];
  const { unasked } = progress;
  return [
    ...body,
    ...(unasked === undefined ? [] : ["", `– not asked: ${unasked}`]),
    ...(open.length > 0 ? ["", ...open] : []),
    "",
  ].join("\n");
}
