import { longhornProblems } from "../longhornSchemas";

/*
 * A double of Longhorn's controllers and its webhook. Its objects match Longhorn's own CustomResourceDefinitions. It moves
 * replica objects as an eviction does, one step at each look: a copy starts on another node, the next step makes it healthy, and
 * the evicted replica is removed. A missing copy is made in the same way. It moves no data and has no CSI; only a cluster of
 * virtual machines can show those. The objects are in a simulated cluster or in a real API server (longhornOnCluster.ts).
 */

export const NAMESPACE = "longhorn-system";
const API_VERSION = "longhorn.io/v1beta2";
const GIB = 2 ** 30;

/** Faults of the double. */
export interface LonghornFaults {
  /** Copies of these volumes never become healthy. */
  readonly stuckRebuilds?: readonly string[];
}

/** A cluster with Longhorn. */
export interface LonghornWorld {
  /** Kubernetes' Node objects. */
  readonly nodes: Pick<ReadonlyMap<string, unknown>, "has">;
  /** Objects by plural of the kind, `nodes.longhorn.io`, as in the API. */
  readonly objects: Map<string, object[]>;
  /** Set if Longhorn is installed and runs; the faults that it has. */
  longhorn?: LonghornFaults;
}

interface Condition {
  type: string;
  status: string;
}
interface DiskSpec {
  path: string;
  diskType: "filesystem" | "block";
  allowScheduling: boolean;
  evictionRequested: boolean;
  storageReserved: number;
  tags: string[];
}
interface DiskStatus {
  diskUUID: string;
  diskName: string;
  diskPath: string;
  storageMaximum: number;
  storageAvailable: number;
  storageScheduled: number;
  conditions: Condition[];
}
export interface Named {
  apiVersion: string;
  kind: string;
  metadata: { name: string; namespace: string; labels?: Record<string, string> };
}
export interface LonghornNode extends Named {
  spec: {
    name: string;
    allowScheduling: boolean;
    evictionRequested: boolean;
    tags: string[];
    disks: Record<string, DiskSpec>;
  };
  status: { zone: string; conditions: Condition[]; diskStatus: Record<string, DiskStatus> };
}
export interface LonghornVolume extends Named {
  spec: Record<string, unknown> & { size: string; numberOfReplicas: number };
  status: Record<string, unknown> & { state: string; robustness: string; actualSize: number };
}
export interface LonghornReplica extends Named {
  spec: {
    volumeName: string;
    volumeSize: string;
    nodeID: string;
    diskID: string;
    failedAt: string;
    healthyAt: string;
    evictionRequested: boolean;
  };
}

const list = <T extends Named>(cluster: LonghornWorld, resource: string): T[] =>
  (cluster.objects.get(`${resource}.longhorn.io`) ?? []) as T[];
export const longhornNodes = (cluster: LonghornWorld): LonghornNode[] => list(cluster, "nodes");
export const longhornVolumes = (cluster: LonghornWorld): LonghornVolume[] => list(cluster, "volumes");
export const longhornReplicas = (cluster: LonghornWorld): LonghornReplica[] => list(cluster, "replicas");
export const named = (kind: string, name: string): Named => ({
  apiVersion: API_VERSION,
  kind,
  metadata: { name, namespace: NAMESPACE },
});
export const conditions = (isReady: boolean, isSchedulable = isReady): Condition[] => [
  { type: "Ready", status: isReady ? "True" : "False" },
  { type: "Schedulable", status: isSchedulable ? "True" : "False" },
];

/** Installs Longhorn, without nodes. */
export function installLonghorn(cluster: LonghornWorld, faults: LonghornFaults = {}): void {
  const crd = { metadata: { name: "nodes.longhorn.io" } };
  cluster.objects.set("crd", [crd]);
  for (const each of ["nodes", "volumes", "replicas", "settings"]) cluster.objects.set(`${each}.longhorn.io`, []);
  cluster.longhorn = faults;
  set(cluster, "storage-over-provisioning-percentage", "100");
  set(cluster, "storage-minimal-available-percentage", "25");
  set(cluster, "replica-soft-anti-affinity", "false");
}

export function set(cluster: LonghornWorld, name: string, value: string): void {
  const others = list(cluster, "settings").filter(({ metadata }) => metadata.name !== name);
  cluster.objects.set("settings.longhorn.io", [...others, { ...named("Setting", name), value }]);
}

/** A setting's value; undefined if there is none. */
export function setting(cluster: LonghornWorld, name: string): string | undefined {
  const settings = list<Named & { value: string }>(cluster, "settings");
  return settings.find(({ metadata }) => metadata.name === name)?.value;
}

/** @param gib size of its only disk */
export function addLonghornNode(cluster: LonghornWorld, name: string, gib: number): LonghornNode {
  const node: LonghornNode = {
    ...named("Node", name),
    spec: { name, allowScheduling: true, evictionRequested: false, tags: [], disks: {} },
    status: { zone: "pve", conditions: conditions(true), diskStatus: {} },
  };
  addLonghornDisk(node, "longhorn", gib);
  longhornNodes(cluster).push(node);
  return node;
}

export function addLonghornDisk(node: LonghornNode, disk: string, gib: number, path = `/mnt/longhorn/${disk}`): void {
  const common = {
    diskType: "filesystem",
    allowScheduling: true,
    evictionRequested: false,
    storageReserved: 0,
  } as const;
  node.spec.disks[disk] = { path, ...common, tags: [] };
  node.status.diskStatus[disk] = {
    ...{ diskUUID: `uuid-of-${node.metadata.name}-${disk}`, diskName: disk, diskPath: path },
    ...{ storageMaximum: gib * GIB, storageAvailable: gib * GIB, storageScheduled: 0, conditions: conditions(true) },
  };
}

/**
 * Makes an attached, healthy volume with a replica on each of these nodes.
 * @param on nodes; with the disk if it is not the node's first: `k3s-worker-01/second`
 */
export function addLonghornVolume(
  cluster: LonghornWorld,
  name: string,
  gib: number,
  on: readonly string[],
  spec: Record<string, unknown> = {},
): LonghornVolume {
  const volume: LonghornVolume = {
    ...named("Volume", name),
    spec: { size: String(gib * GIB), numberOfReplicas: on.length, dataEngine: "v1", ...spec },
    status: {
      ...{ state: "attached", robustness: "healthy", actualSize: GIB },
      kubernetesStatus: { namespace: "shop", pvcName: `data-${name}` },
    },
  };
  longhornVolumes(cluster).push(volume);
  for (const each of on) {
    const [nodeName = "", disk] = each.split("/");
    const node = needNode(cluster, nodeName);
    place(cluster, volume, node, disk ?? Object.keys(node.spec.disks)[0]!, "2026-01-01T00:00:00Z");
  }
  return volume;
}

/** Deletes a volume, as a person would. */
export function removeLonghornVolume(cluster: LonghornWorld, name: string): void {
  for (const each of longhornReplicas(cluster).filter(({ spec }) => spec.volumeName === name)) drop(cluster, each);
  const all = longhornVolumes(cluster);
  all.splice(needVolumeAt(all, name), 1);
}

function needVolumeAt(all: readonly LonghornVolume[], name: string): number {
  const at = all.findIndex(({ metadata }) => metadata.name === name);
  if (at < 0) throw new Error(`Longhorn knows no volume ${name}`);
  return at;
}

export const longhornVolume = (cluster: LonghornWorld, name: string): LonghornVolume =>
  longhornVolumes(cluster)[needVolumeAt(longhornVolumes(cluster), name)]!;
/** The nodes that have a replica of the volume. */
export const placesOf = (cluster: LonghornWorld, volume: string): string[] =>
  longhornReplicas(cluster)
    .filter(({ spec }) => spec.volumeName === volume)
    .map(({ spec }) => spec.nodeID)
    .sort();

export function needNode(cluster: LonghornWorld, name: string): LonghornNode {
  const node = longhornNodes(cluster).find(({ metadata }) => metadata.name === name);
  if (!node) throw new Error(`Longhorn knows no node ${name}`);
  return node;
}

let replicaCount = 0;
function place(cluster: LonghornWorld, volume: LonghornVolume, node: LonghornNode, disk: string, healthyAt: string) {
  const { metadata, spec, status } = volume;
  const { diskUUID } = node.status.diskStatus[disk]!;
  const replica = named("Replica", `${metadata.name}-r-${++replicaCount}`);
  longhornReplicas(cluster).push({
    ...replica,
    metadata: { ...replica.metadata, labels: { longhornnode: node.metadata.name, longhornvolume: metadata.name } },
    spec: {
      ...{ volumeName: metadata.name, volumeSize: spec.size, nodeID: node.metadata.name, diskID: diskUUID },
      ...{ failedAt: "", healthyAt, evictionRequested: false },
    },
  });
  node.status.diskStatus[disk]!.storageScheduled += Number(spec.size);
  node.status.diskStatus[disk]!.storageAvailable -= status.actualSize;
}

function drop(cluster: LonghornWorld, replica: LonghornReplica): void {
  const all = longhornReplicas(cluster);
  all.splice(all.indexOf(replica), 1);
  const volume = longhornVolumes(cluster).find(({ metadata }) => metadata.name === replica.spec.volumeName);
  for (const node of longhornNodes(cluster))
    for (const status of Object.values(node.status.diskStatus))
      if (status.diskUUID === replica.spec.diskID) {
        status.storageScheduled -= Number(replica.spec.volumeSize);
        status.storageAvailable += volume?.status.actualSize ?? 0;
      }
}

/**
 * Checks a changed Node object as Longhorn's webhook and the API server do.
 * @throws Error if they would refuse it
 */
export function admitLonghornNode(before: LonghornNode, after: LonghornNode): void {
  const problems = longhornProblems("nodes.longhorn.io", after);
  if (problems.length > 0) throw new Error(`The Node is invalid: ${problems.join("; ")}`);
  const denied = (why: string) => new Error(`admission webhook "validator.longhorn.io" denied the request: ${why}`);
  if (after.spec.allowScheduling && after.spec.evictionRequested)
    throw denied(`need to disable scheduling on node ${after.metadata.name} for node eviction`);
  for (const [name, disk] of Object.entries(after.spec.disks))
    if (disk.allowScheduling && disk.evictionRequested) throw denied(`need to disable scheduling on disk ${name}`);
  for (const [name, disk] of Object.entries(before.spec.disks)) {
    const status = before.status.diskStatus[name];
    if (!(name in after.spec.disks) && (disk.allowScheduling || (status?.storageScheduled ?? 0) !== 0))
      throw denied(`Please disable the disk ${disk.path} and remove all replicas first`);
  }
}

/** Runs one step of the controllers. */
export function stepLonghorn(cluster: LonghornWorld): void {
  if (!cluster.longhorn) return;
  forgetNodes(cluster);
  for (const volume of longhornVolumes(cluster)) {
    const replicas = longhornReplicas(cluster).filter(({ spec }) => spec.volumeName === volume.metadata.name);
    const evicted = replicas.filter((each) => isEvicted(cluster, each));
    const copying = replicas.filter(({ spec }) => spec.healthyAt === "");
    const isStuck = cluster.longhorn.stuckRebuilds?.includes(volume.metadata.name) === true;
    if (copying.length > 0 && !isStuck) {
      for (const { spec } of copying) spec.healthyAt = "2026-01-02T00:00:00Z";
      if (volume.status.state === "attached") volume.status.robustness = "healthy";
      for (const each of evicted.slice(0, copying.length)) drop(cluster, each);
    } else if (copying.length === 0 && evicted.length > 0) {
      // There may already be more replicas than the volume needs.
      if (replicas.length - evicted.length >= volume.spec.numberOfReplicas) {
        drop(cluster, evicted[0]!);
        continue;
      }
      begin(cluster, volume, replicas);
    } else if (copying.length === 0 && lacksOne(volume, replicas)) begin(cluster, volume, replicas);
  }
}

/** Starts a copy if a disk has room for it. */
function begin(cluster: LonghornWorld, volume: LonghornVolume, replicas: readonly LonghornReplica[]): void {
  const found = placeFor(cluster, volume, replicas);
  if (!found) return;
  place(cluster, volume, found.node, found.disk, "");
  if (volume.status.state === "attached") volume.status.robustness = "degraded";
}

/** Longhorn replaces a missing replica while the volume is attached and has a working one. */
function lacksOne({ spec, status }: LonghornVolume, replicas: readonly LonghornReplica[]): boolean {
  const working = replicas.filter((each) => each.spec.failedAt === "");
  return status.state === "attached" && working.length > 0 && working.length < spec.numberOfReplicas;
}

function isEvicted(cluster: LonghornWorld, { spec }: LonghornReplica): boolean {
  const node = longhornNodes(cluster).find(({ metadata }) => metadata.name === spec.nodeID);
  const disk = Object.entries(node?.status.diskStatus ?? {}).find(([, { diskUUID }]) => diskUUID === spec.diskID)?.[0];
  return node?.spec.evictionRequested === true || node?.spec.disks[disk ?? ""]?.evictionRequested === true;
}

/** A disk with room, on a node without a replica of the volume. */
function placeFor(cluster: LonghornWorld, volume: LonghornVolume, replicas: readonly LonghornReplica[]) {
  const used = new Set(replicas.filter((each) => !isEvicted(cluster, each)).map(({ spec }) => spec.nodeID));
  const isOk = (of: readonly Condition[]): boolean => of.every(({ status }) => status === "True");
  for (const node of longhornNodes(cluster)) {
    if (used.has(node.metadata.name) || !node.spec.allowScheduling || !isOk(node.status.conditions)) continue;
    for (const [disk, status] of Object.entries(node.status.diskStatus)) {
      const hasRoom = status.storageScheduled + Number(volume.spec.size) <= status.storageMaximum;
      if (node.spec.disks[disk]?.allowScheduling === true && hasRoom) return { node, disk };
    }
  }
  return undefined;
}

/** Longhorn deletes its Node object if the Kubernetes Node is gone and it no longer takes replicas. */
function forgetNodes(cluster: LonghornWorld): void {
  for (const node of [...longhornNodes(cluster)]) {
    if (cluster.nodes.has(node.metadata.name) || node.spec.allowScheduling) continue;
    longhornNodes(cluster).splice(longhornNodes(cluster).indexOf(node), 1);
    for (const replica of longhornReplicas(cluster).filter(({ spec }) => spec.nodeID === node.metadata.name)) {
      drop(cluster, replica);
      const volume = longhornVolumes(cluster).find(({ metadata }) => metadata.name === replica.spec.volumeName);
      if (volume) volume.status.robustness = "degraded";
    }
  }
}
