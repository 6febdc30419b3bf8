import * as pulumi from "@pulumi/pulumi";

import { caProblem } from "./credentials/certificates";
import { type Credentials, loadCredentials } from "./credentials/load";
import { quietDebugLog } from "./credentials/quietDebugLog";
import { firewallOutput, K3sCluster } from "./components/K3sCluster";
import { nodesWithOtherRegistries } from "./components/registryChanges";
import { findRepairs, repairCounts } from "./components/repair";
import type { RepairRecord } from "./components/repairRecordIn";
import { readStackRecord } from "./components/stackRecord";
import { announcements, closing, notices } from "./plan/announce";
import { ConfigError, loadPlan } from "./plan/load";
import { nodeJsProblem } from "./plan/nodeJs";
import { type ClusterPlan, exposesEtcdMetrics } from "./plan/model";
import type { ClusterRecord } from "./plan/record";
import { withRepairs } from "./plan/repairs";
import { withRegistryChanges } from "./plan/secretChanges";
import { type Transitions, transitions } from "./plan/transitions";

/** Reads the stack's config. It reports all problems at once, before any resource is created. */
function readPlan(): ClusterPlan {
  try {
    return loadPlan(new pulumi.Config().requireObject("cluster"));
  } catch (error) {
    if (error instanceof ConfigError) throw new pulumi.RunError(error.message);
    throw error;
  }
}

quietDebugLog();

// The SDK records a stack with every promise and maps each of its frames to the source. This takes a quarter of the time of a
// preview of 100 nodes. PROXMOX_K3S_STACKS=1 keeps complete stacks, for debugging.
if (!process.env["PROXMOX_K3S_STACKS"]) Error.stackTraceLimit = 1;

interface Judged {
  readonly former: ClusterRecord;
  readonly repaired: RepairRecord;
  readonly change: Transitions;
}

/** Announces what the change does, and refuses what is impossible, before any resource is created. */
async function judge(plan: ClusterPlan, { registries }: Credentials): Promise<Judged> {
  const { former, repaired, registries: recorded } = await readStackRecord();
  const others = await nodesWithOtherRegistries(recorded, plan, registries);
  const change = withRegistryChanges(transitions(former, plan), plan, others);
  if (change.refusals.length > 0) throw new pulumi.RunError(new ConfigError(change.refusals).message);
  // Only in a preview, because an `up` with its preview would print it twice.
  if (pulumi.runtime.isDryRun())
    for (const line of [...notices(change, plan), ...announcements(change, plan)]) void pulumi.log.warn(line);
  return { former, repaired, change };
}

export = async function main() {
  const tooOld = nodeJsProblem();
  if (tooOld) throw new pulumi.RunError(`${tooOld.seen}\nnext: ${tooOld.remedy}`);
  const plan = readPlan();
  const credentials = loadCredentials(plan);
  // A preview opens no connection.
  const untrusted = pulumi.runtime.isDryRun() || plan.proxmox.insecure ? undefined : caProblem(plan.proxmox);
  if (untrusted) throw new pulumi.RunError(`${untrusted.seen}\nnext: ${untrusted.remedy}`);
  const { former, repaired, change: planned } = await judge(plan, credentials);
  const found = await findRepairs({ plan, credentials, former, change: planned, repaired });
  const change = withRepairs(planned, found);
  const repairs = repairCounts(plan.name, repaired, found);
  const cluster = new K3sCluster(plan.name, { plan, credentials, former, change, repairs });
  if (!pulumi.runtime.isDryRun()) cluster.ready.apply(() => pulumi.log.info(closing(former, change, plan)));
  return {
    kubeconfig: cluster.kubeconfig,
    token: cluster.token,
    agentToken: cluster.agentToken,
    apiEndpoint: cluster.apiEndpoint,
    clusterId: cluster.clusterId,
    clusterName: plan.name,
    version: plan.version,
    podCidr: plan.network.podCidr,
    serviceCidr: plan.network.serviceCidr,
    disabled: plan.k3s.disable,
    etcdMetrics: exposesEtcdMetrics(plan),
    firewall: firewallOutput(plan),
    nodes: cluster.nodes,
  };
};
