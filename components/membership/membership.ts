import * as pulumi from "@pulumi/pulumi";

import { readyBound } from "../../plan/bounds";
import { isEtcdMember, longhornDisks, type NodePlan } from "../../plan/model";
import { formatTaint } from "../../plan/taints";
import type { ClusterContext } from "../ClusterContext";
import { livesWith, type Machine } from "../machine/Machine";
import { RemoteScript } from "../../remote/RemoteScript";
import { stepName } from "../../plan/steps";

/**
 * The upper limit for a removal, and for a step that may wait for Longhorn, in seconds. It is stored with the leave, so it does
 * not depend on `removal.drainTimeout`: a new timeout would not reach the leave of a node that was just removed from the program.
 * The steps of the removal script have limits of their own, which come from the roster.
 */
const LEAVE_BOUND = 24 * 3600;

interface MembershipArgs {
  readonly node: NodePlan;
  readonly machine: Machine;
  readonly context: ClusterContext;
  readonly dependsOn: readonly pulumi.Resource[];
}

/**
 * The leave does nothing until it is deleted. Then it drains the node, ends its membership and deletes its Node object,
 * through a healthy server from the roster. It is created before K3s, because a join that failed half-way also leaves traces.
 * It is `deletedWith` the anchor, so a full destroy runs no leave and needs no healthy cluster.
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
    context.scriptOptions({
      parent,
      dependsOn: [...args.dependsOn],
      deletedWith: context.anchor,
      replaceWith: [machine.guest],
    }),
  );
}

/** A node keeps its further disks for good. So if it has such disks, Longhorn may have used one of them. */
const hasFurtherDisks = (node: NodePlan): boolean => node.kind === "vm" && node.disksVmId !== undefined;

/** The disks that Longhorn gets, in the form that the scripts read: "serial GiB". */
export const longhornLines = (node: NodePlan): string =>
  longhornDisks(node)
    .map(({ serial, sizeGiB }) => `${serial} ${sizeGiB}`)
    .join("\n");

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
      // Longhorn may have to move its replicas off a disk that it no longer gets.
      boundSeconds: hasFurtherDisks(node) ? LEAVE_BOUND : readyBound(context.plan),
      args: {
        VMID: node.vmId,
        NAME: node.name,
        VERSION: context.plan.version,
        LABELS: Object.entries(node.labels)
          .map(([key, value]) => `${key}=${value}`)
          .join("\n"),
        TAINTS: node.taints.map(formatTaint).join("\n"),
        LONGHORN_DISKS: longhornLines(node),
        ETCD: isEtcdMember(node, context.plan) ? "yes" : "no",
        TIMEOUT: timeout,
        REPAIRS: context.repairs(stepName(name, "ready")),
      },
      inputs: { CLUSTER_ID: context.clusterId },
      triggers: [machine.creation],
    },
    context.scriptOptions({
      parent,
      dependsOn: [...args.dependsOn],
      ...livesWith(machine.guest),
    }),
  );
}
