import * as pulumi from "@pulumi/pulumi";

import type { Credentials } from "../credentials/load";
import type { ClusterSight } from "../plan/clusterSight";
import type { ClusterPlan } from "../plan/model";
import type { ClusterRecord } from "../plan/record";
import { NO_REPAIRS, type Repairs, repairs } from "../plan/repairs";
import { clusterStepName, stepName } from "../plan/steps";
import type { Transitions } from "../plan/transitions";
import { readAdvice } from "../remote/advice";
import { askCluster } from "../remote/askCluster";
import { checkGate } from "../remote/gateCheck";
import { known } from "../remote/known";
import { ConnectionError, type ShellTarget } from "../remote/sshClient";
import type { RepairRecord } from "./repairRecordIn";

/** How often each step was repaired, this run included: a new number runs the step again. */
export type RepairCounts = (step: string) => number;

interface Asked {
  readonly plan: ClusterPlan;
  readonly credentials: Pick<Credentials, "hostKey">;
  readonly former: ClusterRecord;
  readonly change: Transitions;
  readonly repaired: RepairRecord;
}

/**
 * What this `up` repairs in the cluster in addition to the changes of the config (docs/decisions/0014). It is the run's first
 * request to the Proxmox host, so its answer also proves that the host runs this program's scripts. A preview asks nothing.
 * @throws RunError with the cause and the next step if the host answers, but does not run this program's scripts
 */
export async function findRepairs({ plan, credentials, former, change, repaired }: Asked): Promise<Repairs> {
  if (pulumi.runtime.isDryRun()) return NO_REPAIRS;
  const { host, sshPort: port, sshUser: user, hostKey } = plan.proxmox;
  const target = { host, port, user, hostKey, privateKey: await known(credentials.hostKey), dials: 2 };
  const hasK3s = former.nodes.some(({ k3s }) => k3s !== undefined);
  const cluster = await lookAt(target, plan, hasK3s ? repaired.clusterId : undefined);
  if (cluster === undefined) return NO_REPAIRS;
  const found = repairs(plan, change, { cluster, at: new Date(), kubeconfigEnds: repaired.kubeconfigEnds });
  for (const node of found.firewall)
    void pulumi.log.warn(`${node}: it runs without the latest rules of its firewall; it gets them now`);
  for (const node of found.staying)
    void pulumi.log.warn(
      `${node}: a removal of it, or of its disks for Longhorn, did not complete; it gets pods and replicas again, as the config says`,
    );
  for (const line of [...found.notices, ...found.nodes.map(({ words }) => words)]) void pulumi.log.warn(line);
  return found;
}

/** @returns undefined if there is no cluster yet, or if the look failed: the steps that need the host report that */
async function lookAt(
  target: ShellTarget,
  { name, nodes, rollout }: ClusterPlan,
  clusterId: string | undefined,
): Promise<ClusterSight | undefined> {
  let cause: string | undefined;
  try {
    // When the host removes a node, it has to know whether the node comes back (docs/decisions/0012).
    const run = [rollout.concurrency, ...nodes.map((node) => node.name)].join("\n");
    if (clusterId !== undefined) return await askCluster(target, name, clusterId, run);
  } catch (error) {
    if (error instanceof ConnectionError) return undefined;
    cause = readAdvice((error as Error).message).cause ?? (error as Error).message;
  }
  await requireGate(target, name);
  if (cause !== undefined)
    await pulumi.log.warn(
      `the cluster could not be checked, so this run repairs nothing in it: ${cause.split("\n")[0]}`,
    );
  return undefined;
}

async function requireGate(target: ShellTarget, name: string): Promise<void> {
  try {
    await checkGate(target, name);
  } catch (error) {
    throw new pulumi.RunError((error as Error).message);
  }
}

/** Counts on from the counts in the state, so that a run without repairs changes nothing. */
export function repairCounts(
  name: string,
  { counts }: RepairRecord,
  { nodes, kubeconfig, firewall, staying }: Repairs,
): RepairCounts {
  const steps = new Set(nodes.flatMap(({ node }) => [stepName(node, "k3s"), stepName(node, "ready")]));
  for (const node of staying) steps.add(stepName(node, "ready"));
  if (firewall.length > 0) steps.add(clusterStepName(name, "firewall"));
  if (kubeconfig) steps.add(clusterStepName(name, "kubeconfig"));
  return (step) => (counts.get(step) ?? 0) + (steps.has(step) ? 1 : 0);
}
