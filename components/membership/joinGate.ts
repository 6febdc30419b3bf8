import * as pulumi from "@pulumi/pulumi";

import type { NodePlan } from "../../plan/model";
import type { ClusterAccess } from "../rollout/awaitReadyAgain";
import { runOnHost } from "../../remote/hostTask";
import { stepName } from "../../plan/steps";

/** Seconds for which a server that is to join waits until one of the others answers: the time of a restart. */
const OTHERS_TIMEOUT = 120;

/**
 * Before K3s comes to a server's machine: whether it begins the cluster or joins the one that lives, decided on the Proxmox
 * host by who lives there (`scripts/host/join.sh`). A hook and not a resource, as the answer is of the moment: an installation
 * that is tried again may have to join through another server (docs/decisions/0009).
 */
export function join(server: NodePlan, { host, clusterId }: ClusterAccess): pulumi.ResourceHook {
  return new pulumi.ResourceHook(stepName(server.name, "join"), async () => {
    await runOnHost(host, {
      task: "join",
      action: "look",
      step: stepName(server.name, "join"),
      title: `${server.name} begins the cluster, or joins the one that lives`,
      lock: `guest-${server.vmId}`,
      boundSeconds: OTHERS_TIMEOUT + 300,
      args: { VMID: server.vmId, NAME: server.name, TIMEOUT: OTHERS_TIMEOUT },
      inputs: { CLUSTER_ID: clusterId },
    });
  });
}
