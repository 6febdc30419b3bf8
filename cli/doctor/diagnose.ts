import { type FoundCredentials, readCredentials } from "../../credentials/read";
import { readRegistries } from "../../credentials/registries";
import { hint } from "../../credentials/sources";
import { agentProblem } from "../../credentials/sshAgent";
import { ConfigError, loadPlan } from "../../plan/load";
import { nodeJsProblem } from "../../plan/nodeJs";
import type { ClusterPlan } from "../../plan/model";
import { checkApi } from "./api";
import { fail, type Finding, ok, skip } from "./finding";
import { checkHost } from "./host";
import { checkRuns } from "./runs";
import { LEAST_PULUMI, pulumiVersion, readStack, type Stack } from "../stack";
import { StackError } from "../stackProblem";

/**
 * Checks everything that `pulumi up` needs, from the user's machine to the Proxmox host, and changes nothing.
 * @param stackName the selected stack by default
 */
export async function diagnose(stackName?: string): Promise<Finding[]> {
  const [pulumi, { stack, finding }] = await Promise.all([checkPulumi(), openStack(stackName)]);
  const here = [checkNodeJs(), pulumi, finding, checkAgent()];
  if (!stack) return [...here, skip("config", "the stack cannot be read")];
  const { plan, findings } = readPlan(stack.cluster);
  if (!plan) return [...here, ...findings];
  const { values, findings: credentials } = checkCredentials(stack, plan);
  const [runs, api, host] = await Promise.all([
    checkRuns(stackName),
    checkApi(plan, values.apiToken),
    checkHost(plan, values.hostKey, stack.state),
  ]);
  return [...here, ...runs, ...findings, ...credentials, ...api, ...host];
}

function checkNodeJs(): Finding {
  const problem = nodeJsProblem();
  return problem ? fail("node.js", problem.seen, problem.remedy) : ok("node.js", process.versions.node);
}

async function checkPulumi(): Promise<Finding> {
  const remedy = `install Pulumi ${LEAST_PULUMI} or newer: https://www.pulumi.com/docs/install/`;
  try {
    const { version, isEnough } = await pulumiVersion();
    return isEnough ? ok("pulumi", version) : fail("pulumi", `${version} is too old`, remedy);
  } catch (error) {
    return fail("pulumi", (error as Error).message, remedy);
  }
}

async function openStack(name: string | undefined): Promise<{ stack?: Stack; finding: Finding }> {
  try {
    return { stack: await readStack(name), finding: ok("stack", "config and state can be read") };
  } catch (error) {
    if (!(error instanceof StackError)) throw error;
    return { finding: fail("stack", error.seen, error.remedy) };
  }
}

function checkAgent(): Finding {
  const problem = agentProblem();
  return problem
    ? fail("ssh-agent", problem.seen, problem.remedy)
    : ok("ssh-agent", "SSH_AUTH_SOCK is not set, or its agent answers");
}

/** The plan, or one failure for each config problem, with its hint. */
function readPlan(cluster: unknown): { plan?: ClusterPlan; findings: Finding[] } {
  try {
    const plan = loadPlan(cluster);
    return { plan, findings: [ok("config", `${plan.name}: ${plan.nodes.length} nodes, K3s ${plan.version}`)] };
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    const findings = error.problems.map(({ path, problem, hint }) =>
      fail("config", `${path}: ${problem}`, hint ?? "docs/config.md says which values are allowed"),
    );
    return { findings };
  }
}

/** The credentials that can be used, and a failure for each that is missing or unusable. */
function checkCredentials(stack: Stack, plan: ClusterPlan): Pick<FoundCredentials, "values"> & { findings: Finding[] } {
  const { values, ...own } = readCredentials(stack.config, plan.ssh.authorizedKeys);
  const { registries } = plan.k3s;
  const others = registries === undefined ? undefined : readRegistries(stack.config, registries);
  const missing = [...own.missing, ...(others?.missing ?? [])];
  const problems = [...own.problems, ...(others?.problems ?? [])];
  const findings = [
    ...missing.map((source) => fail("credentials", `no ${source.what}`, hint(source))),
    ...problems.map(({ problem, remedy }) => fail("credentials", problem, remedy)),
  ];
  return {
    values,
    findings:
      findings.length > 0
        ? findings
        : [
            ok(
              "credentials",
              `API token and both SSH keys${others === undefined ? "" : ", and what the registries need"}`,
            ),
          ],
  };
}
