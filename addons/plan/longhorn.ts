import type { Settings } from "../config/schema";
import type { LonghornSettings } from "../config/sections/longhorn";
import type { ReleasePlan } from "./charts";
import { type Cluster, type ClusterNode, storageNodes } from "./cluster";
import { longhornValues, type Placement } from "./render/longhorn";
import { tolerationsOf } from "./render/tolerations";

/** The name of the release too. Longhorn's own tools and pages expect this namespace. */
export const LONGHORN_NAMESPACE = "longhorn-system";
export const LONGHORN_RELEASE = "longhorn";
/** The StorageClass that the chart creates. */
export const LONGHORN_CLASS = "longhorn";

export interface LonghornPlan {
  readonly namespace: string;
  readonly release: ReleasePlan;
}

/** With this label, people and the cluster's program mark a node that is prepared for volumes. */
const STORAGE_LABEL = { key: "storage", value: "longhorn" };
/** The cluster's program sets it on nodes with a disk for Longhorn. */
const DISK_LABEL = { key: "node.longhorn.io/create-default-disk", value: "config" };

/** The plan of Longhorn; undefined if the config has none. */
export function planLonghorn({ longhorn }: Settings, cluster: Cluster): LonghornPlan | undefined {
  if (longhorn === undefined) return undefined;
  const namespace = LONGHORN_NAMESPACE;
  const release = {
    name: LONGHORN_RELEASE,
    namespace,
    chart: longhorn.chart,
    values: longhornValues(longhorn, longhornPlacement(longhorn, cluster)),
    // Longhorn refuses to start with objects of a newer release, and a failed install must not run its uninstall.
    keepsFailed: true as const,
    protect: keepsVolumes(longhorn),
  };
  return { namespace, release };
}

/** Whether a deletion of Longhorn is refused. */
export const keepsVolumes = ({ onDeletion }: LonghornSettings): boolean => onDeletion === "refuse";

/** Where Longhorn runs, and where pods can use its volumes. */
export function longhornPlacement({ nodes }: LonghornSettings, cluster: Cluster): Placement {
  const onDisks = nodes === "disks";
  const own = onDisks ? storageNodes(cluster) : cluster.nodes.filter(isLabelled);
  return { label: onDisks ? DISK_LABEL : STORAGE_LABEL, tolerations: tolerationsOf(own) };
}

/** Whether the node has the label that `nodes: labelled` asks for. */
export const isLabelled = ({ labels }: ClusterNode): boolean => labels[STORAGE_LABEL.key] === STORAGE_LABEL.value;
