import * as pulumi from "@pulumi/pulumi";

import type { NodePlan } from "../config/plan";
import type { ClusterContext } from "./ClusterContext";
import { known } from "./known";
import { runTask } from "./remoteShell";

/**
 * The claim: before each creation and each change of a guest, a look on the Proxmox host that its VMID is free or ours.
 *
 * A hook and not a resource, because a resource would run again when *its* inputs change, and not when the guest's state
 * does: a creation that is tried again, a guest that a refresh dropped, and a stranger's guest that a refresh took for
 * ours would all pass unclaimed (docs/decisions/0003). Runs in no preview.
 */
export function claim(name: string, node: NodePlan, context: ClusterContext): pulumi.ResourceHook {
  const step = `${name}-claim`;
  return new pulumi.ResourceHook(step, async ({ oldInputs }) => {
    const { mark, connection } = await known({ mark: context.mark, connection: context.host });
    const { host, port = 22, user = "root", privateKey = "", hostKey = "" } = connection;
    await runTask(
      { host, port, user, privateKey, hostKey },
      {
        task: "claim",
        action: oldInputs ? "update" : "create",
        step,
        title: `VMID ${node.vmId} is free or ours`,
        lock: `guest-${node.vmId}`,
        boundSeconds: 300,
        args: { VMID: node.vmId, NAME: node.name },
        inputs: { MARK: mark },
      },
    );
  });
}
