import type { Problem } from "../../../config/problems";
import type { Draft } from "../../config/schema";
import type { LonghornSettings } from "../../config/sections/longhorn";
import { type Cluster, storageNodes } from "../cluster";
import { isLabelled, LONGHORN_RELEASE } from "../longhorn";
import type { Standing } from "../standing";

const PATH = "addons.longhorn";
const DISK = "disks: [{ serial: data, size: 100GB, longhorn: true }]";

/** Settings that are not possible on this cluster. */
export function checkLonghornOn({ longhorn }: Draft, cluster: Cluster): Problem[] {
  if (longhorn === undefined) return [];
  return [...checkDisks(longhorn, cluster), ...checkLabels(longhorn, cluster), ...checkClass(longhorn, cluster)];
}

function checkDisks({ replicas }: LonghornSettings, cluster: Cluster): Problem[] {
  const count = storageNodes(cluster).length;
  if (cluster.nodes.every(({ kind }) => kind === "lxc"))
    return [
      {
        path: PATH,
        problem:
          "needs virtual machines: its volumes come by iSCSI, which Linux does not have in a container, and all nodes are containers",
        hint: `add a pool with kind: vm and ${DISK} to the cluster's config; or use K3s' local-path`,
      },
    ];
  if (count === 0)
    return [
      {
        path: PATH,
        problem: "has no disk: no node of the cluster has one for it",
        hint: `set ${DISK} for a pool of virtual machines in the cluster's config, and run \`pulumi up\` there`,
      },
    ];
  if (replicas <= count) return [];
  return [
    {
      path: `${PATH}.replicas`,
      problem: `is ${replicas}, and each copy needs its own node, but ${count === 1 ? "one node has" : `${count} nodes have`} a disk for Longhorn`,
      hint: `set at most ${count}, or give a disk to more nodes in the cluster's config`,
    },
  ];
}

function checkLabels({ nodes }: LonghornSettings, cluster: Cluster): Problem[] {
  if (nodes !== "labelled") return [];
  const path = `${PATH}.nodes`;
  const without = storageNodes(cluster).filter((node) => !isLabelled(node));
  const containers = cluster.nodes.filter((node) => isLabelled(node) && node.kind === "lxc");
  return [
    ...without.map(({ name }) => ({
      path,
      problem: `leaves out ${name}, which has a disk for Longhorn but not the label storage: longhorn`,
      hint: "set the label for its pool in the cluster's config, or set disks",
    })),
    ...containers.map(({ name }) => ({
      path,
      problem: `includes ${name}, a container: Linux has no iSCSI there`,
      hint: "remove the label storage: longhorn from it, or set disks",
    })),
  ];
}

function checkClass({ defaultClass }: LonghornSettings, { disabled }: Cluster): Problem[] {
  if (!defaultClass || disabled.includes("local-storage")) return [];
  return [
    {
      path: `${PATH}.defaultClass`,
      problem: "would be a second default in addition to K3s' local-path",
      hint: "set false, and storageClassName: longhorn in claims; or, if nothing uses local-path, disable: [local-storage] in the cluster's config",
    },
  ];
}

/** An installed Longhorn that keeps volumes and is no longer in the config. */
export function checkLonghornGone({ longhorn }: Draft, standing: Standing): Problem[] {
  const former = standing.releases[LONGHORN_RELEASE];
  if (longhorn !== undefined || former === undefined || mayBeDeleted(former)) return [];
  return [
    {
      path: PATH,
      problem: "is missing, but Longhorn is in the cluster: without it, all its volumes are lost, with their data",
      hint: "put it back; to lose the volumes, set onDeletion: deleteVolumes in it, run `pulumi up`, and then remove it",
    },
  ];
}

/** Longhorn's own flag, as it was last applied. */
function mayBeDeleted(values: Readonly<Record<string, unknown>>): boolean {
  const settings = values["defaultSettings"] as Readonly<Record<string, unknown>> | undefined;
  return settings?.["deletingConfirmationFlag"] === true;
}
