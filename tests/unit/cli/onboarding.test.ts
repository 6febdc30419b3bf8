import { renderOnboardingPage } from "../../../cli/onboarding/page";
import { clusterProgress, renderProgress } from "../../../cli/onboarding/progress";
import { loadPlan } from "../../../plan/load";
import { type OnboardingReport, onboardingSteps, type StepReport } from "../../../plan/onboarding";
import { homelabConfig } from "../config/support";

/* What a person sees of the onboarding of all nodes. */

const PLAN = loadPlan(homelabConfig());
const AT = new Date("2026-11-29T10:00:00Z");
const TIME = "2026-11-29T09:59:30Z";

function reportOf(states: readonly StepReport["state"][], message = "words"): OnboardingReport {
  const steps = onboardingSteps.map((step, at) => {
    const state = states[at]!;
    return [step, { state, time: state === "pending" ? undefined : TIME, message }] as const;
  });
  return Object.fromEntries(steps) as unknown as OnboardingReport;
}
const DONE = reportOf(["skipped", "skipped", "done", "done", "done", "done"]);
const RUNNING = reportOf(["done", "skipped", "running", "pending", "pending", "pending"], "installing K3s");
const FAILED = reportOf(["failed", "pending", "pending", "pending", "pending", "pending"], "no room");

const of = (...reports: (OnboardingReport | undefined)[]) =>
  clusterProgress(PLAN, new Map(PLAN.nodes.map(({ name }, at) => [name, reports[at]])), AT);

test("a sign for each step of each node, then what runs and what failed", () => {
  expect(renderProgress(of(DONE, RUNNING, undefined)).split("\n")).toEqual([
    "homelab: 1 of 3 nodes are done",
    "",
    "NODE           PACKAGES  ISCSI  K3S  JOINED  LABELED  READY",
    "k3s-master     –         –      ✓    ✓       ✓        ✓",
    "k3s-worker-01  ✓         –      …    ·       ·        ·",
    "k3s-worker-02                                                no report yet",
    "",
    `… k3s-worker-01 k3s_installed running since ${TIME}: installing K3s`,
    "",
  ]);
});

test.each([
  ["done", of(DONE, DONE, DONE)],
  ["unfinished", of(DONE, RUNNING, DONE)],
  ["unfinished", of(DONE, undefined, DONE)],
  ["failed", of(DONE, FAILED, RUNNING)],
])("the cluster's progress is %s", (word, { progress }) => expect(progress).toBe(word));

test("a node that did not answer is not done, and the reason is below the table", () => {
  const progress = clusterProgress(PLAN, new Error("root@192.168.2.167 cannot be reached"), AT);
  expect(progress.progress).toBe("unfinished");
  expect(renderProgress(progress)).toContain("\n\n– not asked: root@192.168.2.167 cannot be reached\n");
});

test("as a page: one file that loads nothing, and takes no markup from a node's message", () => {
  const page = renderOnboardingPage(
    of(DONE, reportOf(["failed", ...RUNNING_REST], "<script>alert(1)</script>"), undefined),
  );
  expect(page).toContain("default-src 'none'");
  expect(page).toContain("prefers-color-scheme: dark");
  expect(page).not.toMatch(/<script|<link|<img|src=|href=|url\(|@import/);
  expect(page).toContain("1 of 3 nodes are done, 1 has failed");
  expect(page.match(/class="state ok"/g)).toHaveLength(4);
});
const RUNNING_REST = ["pending", "pending", "pending", "pending", "pending"] as const;
