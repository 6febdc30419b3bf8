import type * as pulumi from "@pulumi/pulumi";

import { STEP_BOUNDS } from "../../plan/bounds";
import type { VmNodePlan } from "../../plan/model";
import { stepName } from "../../plan/steps";
import { RemoteScript } from "../../remote/RemoteScript";
import type { ClusterContext } from "../ClusterContext";

/** A node's further disks in the form that the scripts read: "serial storage GiB". */
export const diskLines = ({ disks }: Pick<VmNodePlan, "disks">): string =>
  disks.map(({ serial, storage, sizeGiB }) => `${serial} ${storage} ${sizeGiB}`).join("\n");

/**
 * The guest that keeps a node's further disks. The machine depends on it, so it is created first and deleted last, and a rebuild
 * of the machine does not touch it (docs/decisions/0016).
 */
export function furtherDisks(
  name: string,
  node: VmNodePlan,
  vmId: number,
  context: ClusterContext,
  parent: pulumi.Resource,
): RemoteScript {
  return new RemoteScript(
    stepName(name, "disks"),
    {
      task: "disks",
      title: `guest ${vmId}, which keeps the further disks of ${node.name}`,
      connection: context.host,
      on: "apply and delete",
      lock: `guest-${vmId}`,
      boundSeconds: STEP_BOUNDS.guest,
      args: { VMID: vmId, NAME: node.name, DISKS: diskLines(node), POOL: context.plan.proxmox.resourcePool },
      inputs: { MARK: context.mark, CLUSTER_ID: context.clusterId },
    },
    context.scriptOptions({ parent, dependsOn: [context.roster, context.preflight] }),
  );
}
