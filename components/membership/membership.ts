import * as pulumi from "@pulumi/pulumi";

import { isEtcdMember, type NodePlan } from "../../plan/model";
import { formatTaint } from "../../plan/taints";
import type { ClusterContext } from "../ClusterContext";
import type { Machine } from "../machine/Machine";
import { RemoteScript } from "../../remote/RemoteScript";
import { stepName } from "../../plan/steps";

/**
 * Seconds after which a removal ends, come what may. It is stored with the leave, so it must not follow the policy: a new
 * drain timeout would reach the leave of a node that has just gone from the program too late. The bounds that count are
 * the removal script's own, each step by itself, and come from the roster.
 */
const LEAVE_BOUND = 24 * 3600;

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
    stepName(name, "leave"),
    {
      task: "leave",
      title: `${node.name} leaves the cluster`,
      on: "delete",
      connection: context.host,
      lock: `guest-${node.vmId}`,
      boundSeconds: LEAVE_BOUND,
      args: { VMID: node.vmId, NAME: node.name, ROLE: node.role },
      inputs: { CLUSTER_ID: context.clusterId, MARK: context.mark },
      triggers: [machine.creation],
    },
    pulumi.mergeOptions(context.scriptOptions, {
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
    stepName(name, "ready"),
    {
      task: "ready",
      title: `${node.name} is Ready at ${context.plan.version}`,
      connection: context.host,
      lock: `ready-${node.vmId}`,
      boundSeconds: 2 * timeout + 60,
      args: {
        VMID: node.vmId,
        NAME: node.name,
        VERSION: context.plan.version,
        LABELS: Object.entries(node.labels)
          .map(([key, value]) => `${key}=${value}`)
          .join("\n"),
        TAINTS: node.taints.map(formatTaint).join("\n"),
        ETCD: isEtcdMember(node, context.plan) ? "yes" : "no",
        TIMEOUT: timeout,
      },
      inputs: { CLUSTER_ID: context.clusterId },
      triggers: [machine.creation],
    },
    pulumi.mergeOptions(context.scriptOptions, {
      parent,
      dependsOn: [...args.dependsOn],
      deletedWith: machine.guest,
      replaceWith: [machine.guest],
    }),
  );
}
