import type * as pulumi from "@pulumi/pulumi";

import { STEP_BOUNDS } from "../../plan/bounds";
import type { NodePlan } from "../../plan/model";
import { stepName } from "../../plan/steps";
import { DIAL_ERRORS, DIAL_SECONDS } from "../../remote/dialing";
import { RemoteScript } from "../../remote/RemoteScript";
import type { ClusterContext } from "../ClusterContext";
import { livesWith, type Machine } from "./Machine";

interface ReachArgs {
  readonly node: NodePlan;
  readonly context: ClusterContext;
  readonly guest: pulumi.Resource;
  readonly creation: pulumi.Output<string>;
  /** SSH runs in the guest after this. */
  readonly after: pulumi.Resource;
}

/**
 * Reads the guest's SSH host key on the Proxmox host, so that no connection has to trust an unknown key. It is the same for every
 * kind of machine.
 */
export function reach(
  name: string,
  { node, context, guest, creation, after }: ReachArgs,
  parent: pulumi.Resource,
): Pick<Machine, "connection" | "usable"> {
  const hostKey = new RemoteScript(
    stepName(name, "host-key"),
    {
      task: "host-key",
      title: `the SSH host key of ${node.name}`,
      connection: context.host,
      lock: `guest-${node.vmId}`,
      boundSeconds: STEP_BOUNDS.guest,
      args: { VMID: node.vmId, NAME: node.name },
      inputs: { MARK: context.mark },
      triggers: [creation],
    },
    context.scriptOptions({ parent, dependsOn: [after], ...livesWith(guest) }),
  );
  const connection = {
    host: node.address,
    user: "root",
    privateKey: context.nodeKey,
    hostKey: hostKey.answer,
    dialErrorLimit: DIAL_ERRORS.node,
    perDialTimeout: DIAL_SECONDS,
  };
  return { connection, usable: hostKey };
}
