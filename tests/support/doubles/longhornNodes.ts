import {
  addLonghornDisk,
  conditions,
  type LonghornNode,
  longhornNodes,
  longhornReplicas,
  longhornVolumes,
  type LonghornWorld,
  named,
  setting,
} from "./longhornController";

/*
 * The part of the double that makes Longhorn's Node objects, with their disks, from Kubernetes' Node objects, and says whether they
 * take replicas.
 * Source: longhorn-manager 1.12, controller/node_controller.go (syncDefaultDisks) and datastore (CreateDefaultNode).
 */

export const DISK_LABEL = "node.longhorn.io/create-default-disk";
export const DISK_CONFIG = "node.longhorn.io/default-disks-config";
/** Longhorn's path for a disk on a node that names none. */
export const DEFAULT_PATH = "/var/lib/longhorn/";

/** In the API's form. */
export interface KubernetesNode {
  readonly metadata: {
    readonly name: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
  };
  readonly spec: { readonly unschedulable?: boolean; readonly taints?: readonly { readonly key: string }[] };
  readonly status?: { readonly conditions?: readonly { readonly type: string; readonly status: string }[] };
}

/** @param gib size of each disk; the double does not read real disks */
export function tendNodes(world: LonghornWorld, kubernetes: readonly KubernetesNode[], gib: number): void {
  const needsLabel = setting(world, "create-default-disk-labeled-nodes") === "true";
  for (const node of kubernetes) {
    let own = longhornNodes(world).find(({ metadata }) => metadata.name === node.metadata.name);
    if (own === undefined) {
      if (!runsOn(node)) continue;
      own = newNode(node.metadata.name);
      if (!needsLabel) addLonghornDisk(own, "default-disk-0", gib, DEFAULT_PATH);
      longhornNodes(world).push(own);
    }
    // Longhorn reads the annotation only once.
    if (needsLabel && Object.keys(own.spec.disks).length === 0) takeLabelled(own, node, gib);
    syncDisks(own, gib);
    countReplicas(world, own);
    own.status.conditions = conditions(isReady(node), isReady(node) && node.spec.unschedulable !== true);
  }
}

/** Longhorn's manager runs on a node if it has no taints but those for the node's own state. */
const runsOn = ({ spec }: KubernetesNode): boolean =>
  (spec.taints ?? []).every(({ key }) => key.startsWith("node.kubernetes.io/"));
const isReady = ({ status }: KubernetesNode): boolean =>
  status?.conditions?.some(({ type, status: is }) => type === "Ready" && is === "True") === true;

function newNode(name: string): LonghornNode {
  return {
    ...named("Node", name),
    spec: { name, allowScheduling: true, evictionRequested: false, tags: [], disks: {} },
    status: { zone: "", conditions: conditions(true), diskStatus: {} },
  };
}

function takeLabelled(own: LonghornNode, { metadata }: KubernetesNode, gib: number): void {
  const label = metadata.labels?.[DISK_LABEL]?.toLowerCase();
  if (label === "true") addLonghornDisk(own, "default-disk-0", gib, DEFAULT_PATH);
  if (label !== "config") return;
  const named = JSON.parse(metadata.annotations?.[DISK_CONFIG] ?? "[]") as { name: string; path: string }[];
  for (const { name, path } of named) addLonghornDisk(own, name, gib, path);
}

/** Takes over disks that were added to the spec, or removed from it. */
function syncDisks({ metadata, spec, status }: LonghornNode, gib: number): void {
  for (const disk of Object.keys(status.diskStatus)) if (!(disk in spec.disks)) delete status.diskStatus[disk];
  const added = Object.keys(spec.disks).filter((disk) => !(disk in status.diskStatus));
  for (const disk of added) {
    const fresh = newNode(metadata.name);
    addLonghornDisk(fresh, disk, gib, spec.disks[disk]!.path);
    status.diskStatus[disk] = fresh.status.diskStatus[disk]!;
  }
}

function countReplicas(world: LonghornWorld, { status }: LonghornNode): void {
  for (const disk of Object.values(status.diskStatus)) {
    const replicas = longhornReplicas(world).filter(({ spec }) => spec.diskID === disk.diskUUID);
    const volumes = replicas.flatMap(
      ({ spec }) => longhornVolumes(world).find(({ metadata }) => metadata.name === spec.volumeName) ?? [],
    );
    disk.storageScheduled = sumOf(replicas.map(({ spec }) => Number(spec.volumeSize)));
    disk.storageAvailable = disk.storageMaximum - sumOf(volumes.map(({ status: { actualSize } }) => actualSize));
  }
}

const sumOf = (numbers: readonly number[]): number => numbers.reduce((sum, each) => sum + each, 0);
