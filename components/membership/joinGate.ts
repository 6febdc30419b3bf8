import * as pulumi from "@pulumi/pulumi";

import { joinBound, OTHERS_TIMEOUT } from "../../plan/bounds";
import type { NodePlan } from "../../plan/model";
import type { ClusterAccess } from "../rollout/awaitReadyAgain";
import { runOnHost } from "../../remote/hostTask";
import { stepName } from "../../plan/steps";

/**
 * Runs before K3s is installed on a server: `scripts/host/join.sh` decides on the Proxmox host whether the server starts a new
 * cluster or joins the existing one. It is a hook and not a resource, because the answer changes over time: an installation
 * that is tried again may have to join through another server (docs/decisions/0009).
 */
export function join(server: NodePlan, { host, clusterId }: ClusterAccess): pulumi.ResourceHook {
  return new pulumi.ResourceHook(stepName(server.name, "join"), async () => {
    await runOnHost(host, {
      task: "join",
      action: "look",
      step: stepName(server.name, "join"),
      title: `${server.name} starts a new cluster or joins the existing one`,
      lock: `guest-${server.vmId}`,
      boundSeconds: joinBound,
      args: { VMID: server.vmId, NAME: server.name, TIMEOUT: OTHERS_TIMEOUT },
      inputs: { CLUSTER_ID: clusterId },
    });
  });
}
