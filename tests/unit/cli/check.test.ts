import { checkCommand } from "../../../cli/check/command";
import { stepFinding, told } from "../../../cli/check/phases";
import { type OnboardingReport, onboardingSteps, type StepReport } from "../../../plan/onboarding";

/* What a person sees of the checks of nodes. */

const reportOf = (states: Partial<OnboardingReport>): OnboardingReport => {
  const pending: StepReport = { state: "pending", time: undefined, message: "" };
  return Object.fromEntries(
    onboardingSteps.map((step) => [step, states[step] ?? pending]),
  ) as unknown as OnboardingReport;
};
const node = { name: "node-1", address: "192.168.2.21" };

test("the passed checks of a node are one line, each other one is a line with its remedy", () => {
  expect(
    told([
      { node: undefined, level: "ok", check: "kube-system", seen: "7 pods, all ready" },
      { node: "node-1", level: "ok", check: "disk", seen: "9000 MiB are free" },
      { node: "node-1", level: "fail", check: "time", seen: "its clock is 3600 s off", remedy: "set the clock" },
      { node: "node-1", level: "ok", check: "memory", seen: "much" },
    ]),
  ).toEqual([
    { level: "ok", check: "kube-system", seen: "7 pods, all ready" },
    { level: "ok", check: "node", seen: "node-1: disk, memory" },
    { level: "fail", check: "time", seen: "node-1: its clock is 3600 s off", remedy: "set the clock" },
  ]);
});

test("a step that failed has its cause, and its own remedy below it", () => {
  const steps = reportOf({
    packages_installed: {
      state: "failed",
      time: "2026-11-29T10:00:00Z",
      message: "no room next: a larger disk; then pulumi up",
    },
  });
  expect(stepFinding({ ...node, progress: "failed", steps })).toEqual({
    level: "fail",
    check: "onboarding",
    seen: "node-1 failed at packages_installed: no room",
    remedy: "a larger disk; then pulumi up",
  });
});

test("a node without a report is not checked", () => {
  expect(stepFinding({ ...node, progress: "unfinished", steps: undefined })).toMatchObject({ level: "skip" });
});

test("the command needs one phase", async () => {
  const said = jest.spyOn(console, "error").mockImplementation(() => {});
  await checkCommand.parseAsync([], { from: "user" });
  expect(said).toHaveBeenCalledWith("error: name one phase\nnext: add --before, --during or --after");
  expect(process.exitCode).toBe(2);
  process.exitCode = 0;
  said.mockRestore();
});
