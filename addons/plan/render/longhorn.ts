import type { LonghornSettings } from "../../config/sections/longhorn";
import type { Toleration } from "./tolerations";

/** Where Longhorn runs. */
export interface Placement {
  /** The one label of these nodes. */
  readonly label: { readonly key: string; readonly value: string };
  /** Of their taints. */
  readonly tolerations: readonly Toleration[];
}

/**
 * Values of Longhorn's chart 1.12. Its manager ends on a node without iSCSI, and Linux has none in a container: so all of Longhorn
 * runs only on nodes with the label. What the chart installs gets selector and tolerations by `global`, what the manager itself
 * makes (CSI plugin, instance managers) by two settings, whose form is `key:value` and `key:effect`
 * (longhorn-manager 1.12.1, types/setting.go: UnmarshalNodeSelector, parseToleration).
 * Every setting is given, also an empty or a false one: Longhorn keeps a setting that leaves the values.
 */
export function longhornValues(longhorn: LonghornSettings, { label, tolerations }: Placement): Record<string, unknown> {
  const { replicas, reservedPercent, defaultClass, reclaimPolicy, networkPolicies, onDeletion } = longhorn;
  return {
    global: { nodeSelector: { [label.key]: label.value }, tolerations },
    // On by default, whatever `enabled` says: that is about the ingress alone.
    networkPolicies: { restrictInternalTraffic: networkPolicies },
    persistence: { defaultClass, defaultClassReplicaCount: replicas, reclaimPolicy },
    defaultSettings: {
      // Only the disks that the cluster's program names in the node's annotation, never a folder of the root disk.
      createDefaultDiskLabeledNodes: true,
      storageReservedPercentageForDefaultDisk: reservedPercent,
      defaultReplicaCount: replicas,
      systemManagedComponentsNodeSelector: `${label.key}:${label.value}`,
      taintToleration: tolerations.map(({ key, effect = "" }) => `${key}:${effect}`).join(";"),
      // A removal moves all replicas before it drains. Any other drain is for a reboot, so it must not copy data, and must not
      // take away a last copy.
      nodeDrainPolicy: "block-if-contains-last-replica",
      deletingConfirmationFlag: onDeletion === "deleteVolumes",
      // The version is the config's. Nothing about the cluster is sent to the vendor.
      upgradeChecker: false,
      allowCollectingLonghornUsageMetrics: false,
    },
  };
}
