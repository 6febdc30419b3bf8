import type { ClusterPlan } from "../../plan/model";
import { onboardingSteps } from "../../plan/onboarding";
import { clusterIdOf } from "../../plan/mark";
import { askChecks, type NodeFinding } from "../../remote/askChecks";
import { askOnboarding } from "../../remote/askOnboarding";
import { loadPlan } from "../../plan/load";
import type { ShellTarget } from "../../remote/sshClient";
import { diagnose } from "../doctor/diagnose";
import { fail, type Finding, ok, skip } from "../doctor/finding";
import { clusterProgress, type NodeProgress } from "../onboarding/progress";
import { lookTarget, readStack } from "../stack";
import { compare } from "../status/compare";
import { attempt, look } from "../status/look";

/** The phases of an onboarding, each with its checks. */
export const PHASES = { before: checkBefore, during: checkDuring, after: checkAfter } as const;
export type Phase = keyof typeof PHASES;

/** This machine, the stack and the Proxmox host like `doctor`, and the existing nodes like `pulumi up`. */
async function checkBefore(stack?: string): Promise<Finding[]> {
  const findings = await diagnose(stack);
  // Without a config the nodes cannot be reached, and the doctor has already reported that.
  if (findings.some(({ check, level }) => ["stack", "config"].includes(check) && level !== "ok")) return findings;
  return [
    ...findings,
    ...(await askNodes(stack, (target, plan, id) => askChecks(target, "before", plan, id).then(told))),
  ];
}

/** How far each node is. */
function checkDuring(stack?: string): Promise<Finding[]> {
  return askNodes(stack, async (target, plan, id) =>
    clusterProgress(plan, await askOnboarding(target, plan.name, id), new Date()).nodes.map(stepFinding),
  );
}

/** The cluster compared with its plan like `status`, and whether its nodes reach each other and the services. */
async function checkAfter(stack?: string): Promise<Finding[]> {
  const { plan, sight } = await look(stack);
  const nodes = await askNodes(stack, (target, _, id) => askChecks(target, "after", plan, id).then(told));
  return [...compare(plan, sight).findings, ...nodes];
}

async function askNodes(
  stackName: string | undefined,
  ask: (target: ShellTarget, plan: ClusterPlan, clusterId: string) => Promise<Finding[]>,
): Promise<Finding[]> {
  const stack = await readStack(stackName);
  const plan = loadPlan(stack.cluster);
  const mark = stack.state.mark(plan.name);
  if (mark === undefined) return [skip("nodes", "no node exists yet")];
  const nodes = await attempt(() => ask(lookTarget(stack, plan), plan, clusterIdOf(mark)));
  return "seen" in nodes ? nodes.seen : [{ ...skip("nodes", nodes.why), remedy: nodes.remedy }];
}

/** One line for all checks that passed on a node, and a line for each other finding. Pure. */
export function told(findings: readonly NodeFinding[]): Finding[] {
  const nodes = [...new Set(findings.map(({ node }) => node))];
  return nodes.flatMap((node) => {
    const own = findings.filter((finding) => finding.node === node);
    const named = ({ level, check, seen, remedy }: NodeFinding): Finding => ({
      level,
      check,
      seen: node === undefined ? seen : `${node}: ${seen}`,
      ...(remedy === undefined || level === "ok" ? {} : { remedy }),
    });
    const other = own.filter(({ level }) => level !== "ok").map(named);
    if (node === undefined) return own.map(named);
    const well = own.filter(({ level }) => level === "ok").map(({ check }) => check);
    return [...(well.length > 0 ? [ok("node", `${node}: ${well.join(", ")}`)] : []), ...other];
  });
}

/** Where a node is in its onboarding. Pure. */
export function stepFinding({ name, progress, steps }: NodeProgress): Finding {
  if (!steps) return skip("onboarding", `${name} has no report yet`);
  const at = onboardingSteps.find((step) => ["failed", "running"].includes(steps[step].state));
  if (at === undefined)
    return progress === "done" ? ok("onboarding", `${name} is done`) : ok("onboarding", `${name} goes on`);
  const { state, message } = steps[at];
  if (state === "running") return ok("onboarding", `${name} is at ${at}: ${message}`);
  const [cause = "", next] = message.split(" next: ");
  return fail("onboarding", `${name} failed at ${at}: ${cause}`, next ?? "pulumi up");
}
