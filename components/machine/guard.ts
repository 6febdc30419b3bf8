import * as pulumi from "@pulumi/pulumi";

import { STEP_BOUNDS } from "../../plan/bounds";
import type { NodePlan } from "../../plan/model";
import { stepName } from "../../plan/steps";
import { RemoteScript } from "../../remote/RemoteScript";
import type { ClusterContext } from "../ClusterContext";

interface GuardArgs {
  readonly node: NodePlan;
  readonly context: ClusterContext;
  readonly guest: pulumi.Resource;
  /** Changes whenever the guest is created again. */
  readonly creation: pulumi.Output<string>;
}

/**
 * The guard does nothing until it is deleted, directly before its machine. Then it fails if the guest is not ours. It is the
 * same for every kind of machine.
 */
export function guard(name: string, args: GuardArgs, parent: pulumi.Resource): RemoteScript {
  const { node, context, guest, creation } = args;
  return new RemoteScript(
    stepName(name, "guard"),
    {
      task: "guard",
      title: `guest ${node.vmId} is ours before it is destroyed`,
      on: "delete",
      connection: context.host,
      lock: `guest-${node.vmId}`,
      boundSeconds: STEP_BOUNDS.guard,
      args: { VMID: node.vmId, NAME: node.name },
      inputs: { MARK: context.mark, URN: guest.urn },
      triggers: [creation],
    },
    // Not deletedWith the guest: it must run before the guest is destroyed.
    context.scriptOptions({ parent, dependsOn: [guest], replaceWith: [guest] }),
  );
}
