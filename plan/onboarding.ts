/* A node's onboarding, as `scripts/lib/progress.sh` writes it on the node. */

/** Its steps in their order, each with the heading of its column. */
export const ONBOARDING_STEPS = {
  packages_installed: "PACKAGES",
  iscsi_enabled: "ISCSI",
  k3s_installed: "K3S",
  cluster_joined: "JOINED",
  node_labeled: "LABELED",
  health_check_ready: "READY",
} as const;
export type OnboardingStep = keyof typeof ONBOARDING_STEPS;
export const onboardingSteps = Object.keys(ONBOARDING_STEPS) as OnboardingStep[];

export const STEP_STATES = ["pending", "running", "done", "skipped", "failed"] as const;

export interface StepReport {
  readonly state: (typeof STEP_STATES)[number];
  /** By the node's clock; undefined while the step is pending. */
  readonly time: string | undefined;
  readonly message: string;
}

/** What a node reports about its steps. */
export type OnboardingReport = Readonly<Record<OnboardingStep, StepReport>>;

/** `done`: nothing is left to do; `failed`: a step has failed, and a person has to act. */
export type Progress = "done" | "failed" | "unfinished";

export function progressOf(report: OnboardingReport | undefined): Progress {
  const states = report ? Object.values(report).map(({ state }) => state) : [];
  if (states.includes("failed")) return "failed";
  return report !== undefined && !states.some(isOpen) ? "done" : "unfinished";
}

/**
 * The report of a node on which K3s has started once. A node that joined with an older version of the program has no report of
 * its first steps. So if no step runs, pending steps count as done. A node that joins now always has a running step.
 */
export function joinedReport(report: OnboardingReport | undefined): OnboardingReport {
  const passed: StepReport = {
    state: "skipped",
    time: undefined,
    message: "it has joined without a report of this step",
  };
  const steps = onboardingSteps.map((step) => [step, report?.[step] ?? passed] as const);
  const runs = steps.some(([, { state }]) => state === "running");
  return Object.fromEntries(
    steps.map(([step, each]) => [step, each.state === "pending" && !runs ? passed : each]),
  ) as unknown as OnboardingReport;
}

const isOpen = (state: StepReport["state"]): boolean => state === "pending" || state === "running";
