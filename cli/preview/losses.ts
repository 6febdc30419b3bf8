import semver from "semver";

import { fateOfDisks } from "../../plan/announce";
import { type ClusterPlan, isEtcdMember, type NodePlan } from "../../plan/model";
import { isEtcdRecord, isServerRecord, type NodeRecord } from "../../plan/record";
import type { NodeEffect } from "../../plan/transitions";

/** What cannot be undone after the step, one sentence each. */
export function lossesOf(
  effect: NodeEffect,
  former: NodeRecord | undefined,
  node: NodePlan | undefined,
  plan: ClusterPlan,
  allLost: boolean,
): string[] {
  if (!former) return [];
  const goes = effect === "leave" || effect === "rebuild";
  return [
    ...(goes && allLost && isServerRecord(former) ? ["All objects of the cluster are lost."] : []),
    ...(goes ? [destroyed(plan)] : []),
    ...(goes ? disksOf(effect, former, plan) : []),
    ...(node === undefined || effect === "rebuild" ? [] : lossesOfChange(former, node, plan)),
  ];
}

function lossesOfChange(former: NodeRecord, node: NodePlan, plan: ClusterPlan): string[] {
  const version = former.k3s?.version;
  const isUpgrade = version !== undefined && semver.minor(plan.version) > semver.minor(version);
  return [
    ...(node.diskGiB > former.diskGiB ? ["The disk cannot become smaller again."] : []),
    ...(isUpgrade && isServerRecord(former) ? [`There is no way back to Kubernetes ${minor(version)}.`] : []),
    ...(isServerRecord(former) && !isEtcdRecord(former) && isEtcdMember(node, plan)
      ? ["The cluster's objects move to etcd and stay there."]
      : []),
  ];
}

function disksOf(effect: NodeEffect, { disks, disksVmId }: NodeRecord, { removal }: ClusterPlan): string[] {
  if (disks === undefined || disksVmId === undefined) return [];
  const serials = disks.map(({ serial }) => serial);
  const words = fateOfDisks({ serials, vmId: disksVmId }, effect === "leave" ? removal.onDisks : "keep");
  return [`${words[0]!.toUpperCase()}${words.slice(1)}.`];
}

const destroyed = ({ removal }: ClusterPlan): string =>
  removal.onLocalData === "delete"
    ? "Its guest and disk are destroyed, with all data that is on this node alone."
    : "Its guest and disk are destroyed. Before that, pulumi up stops if there is data that no other node has.";

const minor = (version: string): string => `${semver.major(version)}.${semver.minor(version)}`;
