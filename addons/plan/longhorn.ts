import type { Settings } from "../config/schema";
import type { LonghornSettings } from "../config/sections/longhorn";
import type { ReleasePlan } from "./charts";
import { type Cluster, type ClusterNode, storageNodes } from "./cluster";
import { longhornValues } from "./render/longhorn";

/** The name of the release too. Longhorn's own tools and pages expect this namespace. */
export const LONGHORN_NAMESPACE = "longhorn-system";
export const LONGHORN_RELEASE = "longhorn";

export interface LonghornPlan {
  readonly namespace: string;
  readonly release: ReleasePlan;
}

/** By this label of a node, people and the cluster's program say that it has what volumes need. */
const STORAGE_LABEL = { key: "storage", value: "longhorn" };
/** The cluster's program sets it on nodes with a disk for Longhorn. */
const DISK_LABEL = { key: "node.longhorn.io/create-default-disk", value: "config" };

/** The plan of Longhorn; undefined if the config has none. */
export function planLonghorn({ longhorn }: Settings, cluster: Cluster): LonghornPlan | undefined {
  if (longhorn === undefined) return undefined;
  const namespace = LONGHORN_NAMESPACE;
  const label = longhorn.nodes === "disks" ? DISK_LABEL : STORAGE_LABEL;
  const taints = longhornNodes(longhorn, cluster).flatMap((node) => node.taints);
  const release = {
    name: LONGHORN_RELEASE,
    namespace,
    chart: longhorn.chart,
    values: longhornValues(longhorn, label, taints),
    // Longhorn refuses to start with objects of a newer release, and a failed install is not to run its uninstall.
    keepsFailed: true as const,
    protect: keepsVolumes(longhorn),
  };
  return { namespace, release };
}

/** Whether a deletion of Longhorn is refused. */
export const keepsVolumes = ({ onDeletion }: LonghornSettings): boolean => onDeletion === "refuse";

/** The nodes on which it runs. */
export function longhornNodes({ nodes }: LonghornSettings, cluster: Cluster): readonly ClusterNode[] {
  return nodes === "disks" ? storageNodes(cluster) : cluster.nodes.filter(isLabelled);
}

/** Whether the node has the label that `nodes: labelled` asks for. */
export const isLabelled = ({ labels }: ClusterNode): boolean => labels[STORAGE_LABEL.key] === STORAGE_LABEL.value;
