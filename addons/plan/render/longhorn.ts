import type { LonghornSettings } from "../../config/sections/longhorn";
import type { Toleration } from "./tolerations";

/** Where Longhorn runs. */
export interface Placement {
  /** The label that selects these nodes. */
  readonly label: { readonly key: string; readonly value: string };
  /** For the taints of these nodes. */
  readonly tolerations: readonly Toleration[];
}

/**
 * Values of Longhorn's chart 1.12. Its manager exits on a node without iSCSI, and Linux has no iSCSI in a container. So all of
 * Longhorn runs only on nodes with the label. Objects from the chart get selector and tolerations from `global`. Objects that the
 * manager creates (CSI plugin, instance managers) get them from two settings of the form `key:value` and `key:effect`
 * (longhorn-manager 1.12.1, types/setting.go: UnmarshalNodeSelector, parseToleration). Every setting is written, also an empty or
 * a false one, because Longhorn keeps the old value of a setting that is removed from the values.
 */
export function longhornValues(longhorn: LonghornSettings, { label, tolerations }: Placement): Record<string, unknown> {
  const { replicas, reservedPercent, defaultClass, reclaimPolicy, networkPolicies, onDeletion } = longhorn;
  return {
    global: { nodeSelector: { [label.key]: label.value }, tolerations },
    // On by default, whatever `enabled` says: `enabled` is only about the ingress.
    networkPolicies: { restrictInternalTraffic: networkPolicies },
    persistence: { defaultClass, defaultClassReplicaCount: replicas, reclaimPolicy },
    defaultSettings: {
      // Only the disks that the cluster's program names in the node's annotation, never a folder of the root disk.
      createDefaultDiskLabeledNodes: true,
      storageReservedPercentageForDefaultDisk: reservedPercent,
      defaultReplicaCount: replicas,
      systemManagedComponentsNodeSelector: `${label.key}:${label.value}`,
      taintToleration: tolerations.map(({ key, effect = "" }) => `${key}:${effect}`).join(";"),
      // A removal moves all replicas before it drains the node. Any other drain is for a reboot, so it must not copy data, and
      // must not evict a last copy.
      nodeDrainPolicy: "block-if-contains-last-replica",
      deletingConfirmationFlag: onDeletion === "deleteVolumes",
      // The config pins the version. Nothing about the cluster is sent to the vendor.
      upgradeChecker: false,
      allowCollectingLonghornUsageMetrics: false,
    },
  };
}
