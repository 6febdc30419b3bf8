/* A node's onboarding, as `scripts/lib/progress.sh` writes it on the node. */

/** Its steps, in their order, each with the head of its column. */
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
  /** As the node's clock says; undefined while it is pending. */
  readonly time: string | undefined;
  readonly message: string;
}

/** What a node says of its steps. */
export type OnboardingReport = Readonly<Record<OnboardingStep, StepReport>>;

/** `done`: nothing is left to do; `failed`: a step has failed, and a person has to act. */
export type Progress = "done" | "failed" | "unfinished";

export function progressOf(report: OnboardingReport | undefined): Progress {
  const states = report ? Object.values(report).map(({ state }) => state) : [];
  if (states.includes("failed")) return "failed";
  return report?.health_check_ready.state === "done" && !states.some(isOpen) ? "done" : "unfinished";
}

const isOpen = (state: StepReport["state"]): boolean => state === "pending" || state === "running";
