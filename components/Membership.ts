import * as pulumi from "@pulumi/pulumi";

import type { NodePlan } from "../config/plan";
import { formatTaint } from "../config/taints";
import type { ClusterContext } from "./ClusterContext";
import type { Machine } from "./Machine";
import { RemoteScript } from "./RemoteScript";

/** Seconds beyond the drain that a removal may take: finding a server, stopping K3s, deleting the node. */
const LEAVE_MARGIN = 300;

interface MembershipArgs {
  readonly node: NodePlan;
  readonly machine: Machine;
  readonly context: ClusterContext;
  readonly dependsOn: readonly pulumi.Resource[];
}

/**
 * The node's way out: does nothing until it is deleted, then drains the node, ends its membership and forgets it,
 * through a live server that the roster names. It exists before K3s does, because a join that failed half-way has left
 * traces all the same. `deletedWith` the anchor: a full destroy runs no leave and needs no cluster.
 */
export function leave(name: string, args: MembershipArgs, parent: pulumi.Resource): RemoteScript {
  const { node, machine, context } = args;
  return new RemoteScript(
    `${name}-leave`,
    {
      task: "leave",
      title: `${node.name} leaves the cluster`,
      on: "delete",
      connection: context.host,
      lock: `guest-${node.vmId}`,
      boundSeconds: context.plan.removal.drainTimeoutSeconds + LEAVE_MARGIN,
      args: { VMID: node.vmId, NAME: node.name, ROLE: node.role },
      inputs: { CLUSTER_ID: context.clusterId },
      triggers: [machine.creation],
    },
    pulumi.mergeOptions(context.connectionOptions, {
      parent,
      dependsOn: [...args.dependsOn],
      deletedWith: context.anchor,
      replaceWith: [machine.guest],
    }),
  );
}

/** The node is Ready at the wanted version, with its labels and taints. */
export function ready(name: string, args: MembershipArgs, parent: pulumi.Resource): RemoteScript {
  const { node, machine, context } = args;
  const timeout = context.plan.k3s.startTimeoutSeconds;
  return new RemoteScript(
    `${name}-ready`,
    {
      task: "ready",
      title: `${node.name} is Ready at ${context.plan.version}`,
      connection: context.host,
      lock: `ready-${node.vmId}`,
      boundSeconds: 2 * timeout + 60,
      args: {
        NAME: node.name,
        VERSION: context.plan.version,
        LABELS: Object.entries(node.labels)
          .map(([key, value]) => `${key}=${value}`)
          .join("\n"),
        TAINTS: node.taints.map(formatTaint).join("\n"),
        TIMEOUT: timeout,
      },
      inputs: { CLUSTER_ID: context.clusterId },
      triggers: [machine.creation],
    },
    pulumi.mergeOptions(context.connectionOptions, {
      parent,
      dependsOn: [...args.dependsOn],
      deletedWith: machine.guest,
      replaceWith: [machine.guest],
    }),
  );
}
