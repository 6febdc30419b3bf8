import * as pulumi from "@pulumi/pulumi";

import { loadCredentials } from "./credentials/load";
import { quietDebugLog } from "./credentials/quietDebugLog";
import { K3sCluster } from "./components/K3sCluster";
import { ConfigError, loadPlan } from "./plan/load";
import { nodeJsProblem } from "./plan/nodeJs";
import type { ClusterPlan } from "./plan/model";

/** Reads the stack's config; every problem in it is reported at once, before any resource is made. */
function readPlan(): ClusterPlan {
  try {
    return loadPlan(new pulumi.Config().requireObject("cluster"));
  } catch (error) {
    if (error instanceof ConfigError) throw new pulumi.RunError(error.message);
    throw error;
  }
}

quietDebugLog();

// The SDK records a stack with every promise, and each of its frames is mapped to its source: a quarter of the time of a
// preview of 100 nodes. PROXMOX_K3S_STACKS=1 keeps whole stacks, for debugging.
if (!process.env["PROXMOX_K3S_STACKS"]) Error.stackTraceLimit = 1;

const tooOld = nodeJsProblem();
if (tooOld) throw new pulumi.RunError(`${tooOld.seen}\nnext: ${tooOld.remedy}`);

const plan = readPlan();
for (const warning of plan.warnings) void pulumi.log.warn(warning.text);

const cluster = new K3sCluster(plan.name, { plan, credentials: loadCredentials(plan.ssh.authorizedKeys) });

export const kubeconfig = cluster.kubeconfig;
export const token = cluster.token;
export const agentToken = cluster.agentToken;
export const apiEndpoint = cluster.apiEndpoint;
export const nodes = cluster.nodes;
