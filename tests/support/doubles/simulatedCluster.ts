import { randomBytes } from "node:crypto";
import type { LonghornFaults } from "./longhornController";
import type { SimulatedMachines } from "../simulatedMachines";
import type { SimulatedDisk, SimulatedK3s } from "./simulatedDisk";

/** A Node object. */
export interface SimulatedNode {
  version: string;
  /** No new pods are scheduled to it. */
  unschedulable: boolean;
  /** As in the API: `key=value:Effect` in its parts. */
  taints: { key: string; value?: string; effect: string }[];
  readonly labels: Record<string, string>;
  readonly annotations: Record<string, string>;
}

/** The data that a cluster's servers share. */
export interface SimulatedCluster {
  readonly nodes: Map<string, SimulatedNode>;
  /** Nodes whose server is a member of etcd; empty if there is one server with SQLite. */
  readonly etcd: Set<string>;
  /** Objects of other kinds, by plural of the kind, as in the API. */
  readonly objects: Map<string, object[]>;
  /** Answers of pods through the API's proxy, by the beginning of the path. */
  proxied?: ReadonlyMap<string, string>;
  /** Set if Longhorn is installed; the faults that it has. */
  longhorn?: LonghornFaults;
}

export const ETCD_ROLE = "node-role.kubernetes.io/etcd";
const MEMBER_NAME = "etcd.k3s.cattle.io/node-name";
const MEMBER_ADDRESS = "etcd.k3s.cattle.io/node-address";
const MEMBER_REMOVED = "etcd.k3s.cattle.io/remove";
const LEAVING = "run/systemd/system/k3s.service.d/leaving.conf";

/**
 * A double of all K3s clusters on simulated machines: which Nodes they have, which of them are members of etcd, and whose API
 * answers. The API needs a majority of the members. A cluster's ID is its CA. No pod runs in it.
 */
export class SimulatedClusters {
  constructor(
    private readonly machines: SimulatedMachines,
    /** By the hash of the CA. */
    readonly all: Map<string, SimulatedCluster>,
  ) {}

  /** The clusters that still have a server, running or not. */
  private get kept(): SimulatedCluster[] {
    const servers = [...this.machines.disks.values()].flatMap(({ k3s }) => (k3s?.role === "server" ? [k3s] : []));
    const hashes = new Set(servers.map(({ caHash }) => caHash));
    return [...hashes].flatMap((hash) => this.all.get(hash) ?? []);
  }

  /** Versions of all Nodes, by name. */
  get members(): Map<string, string> {
    const nodes = this.kept.flatMap((cluster) => [...cluster.nodes]);
    return new Map(nodes.map(([name, { version }]) => [name, version]));
  }

  get etcd(): Set<string> {
    return new Set(this.kept.flatMap((cluster) => [...cluster.etcd]));
  }

  /** The K3s of a guest, if it is running. */
  running(vmid: number | undefined): SimulatedK3s | undefined {
    if (vmid === undefined || !this.machines.isRunning(vmid)) return undefined;
    const disk = this.machines.disks.get(vmid);
    return disk?.hasK3sUp ? disk.k3s : undefined;
  }

  /** The cluster that a server's API serves; undefined if the API does not answer. */
  servedBy(vmid: number | undefined): SimulatedCluster | undefined {
    const k3s = this.running(vmid);
    if (k3s?.role !== "server") return undefined;
    const cluster = this.of(k3s.caHash);
    const well = [...cluster.etcd].filter((name) => this.machineOf(k3s.caHash, name) !== undefined);
    return cluster.etcd.size === 0 || isMajority(well, cluster.etcd) ? cluster : undefined;
  }

  /** Guest and disk of the running node with this name. */
  machineOf(caHash: string, name: string): { readonly vmid: number; readonly disk: SimulatedDisk } | undefined {
    for (const [vmid, disk] of this.machines.disks) {
      const k3s = this.running(vmid);
      if (k3s?.name === name && k3s.caHash === caHash) return { vmid, disk };
    }
    return undefined;
  }

  /** K3s starts: adds its Node and, for a server, its member. */
  register({ role, name, version, caHash, config, member }: SimulatedK3s): void {
    const cluster = this.of(caHash);
    const node = cluster.nodes.get(name) ?? newNode(version);
    node.version = version;
    cluster.nodes.set(name, node);
    if (role !== "server") return;
    node.labels["node-role.kubernetes.io/control-plane"] = "true";
    if (member === undefined) return;
    cluster.etcd.add(name);
    node.labels[ETCD_ROLE] = "true";
    node.annotations[MEMBER_NAME] = member;
    node.annotations[MEMBER_ADDRESS] = /^node-ip: *(.*)$/m.exec(config)?.[1] ?? "";
  }

  /** What K3s' controllers do after a change of a Node: the annotation removes its member from etcd, if etcd allows that. */
  afterChange(caHash: string, name: string): void {
    const { nodes } = this.of(caHash);
    const node = nodes.get(name);
    if (node?.annotations[MEMBER_REMOVED] !== "true" || node.annotations[MEMBER_NAME] === undefined) return;
    if (!this.dropMember(caHash, name)) return;
    for (const key of [MEMBER_NAME, MEMBER_ADDRESS, MEMBER_REMOVED]) delete node.annotations[key];
  }

  /** Deletes a Node; its member leaves etcd first. @returns whether that was possible */
  deleteNode(caHash: string, name: string): boolean {
    if (!this.dropMember(caHash, name)) return false;
    this.of(caHash).nodes.delete(name);
    return true;
  }

  of(caHash: string): SimulatedCluster {
    const known = this.all.get(caHash) ?? {
      nodes: new Map<string, SimulatedNode>(),
      etcd: new Set<string>(),
      objects: new Map<string, object[]>(),
    };
    this.all.set(caHash, known);
    return known;
  }

  /** Removes a member from etcd. etcd allows that only if the running ones of the others are a majority of the others. */
  private dropMember(caHash: string, name: string): boolean {
    const { etcd } = this.of(caHash);
    if (!etcd.has(name)) return true;
    const others = [...etcd].filter((other) => other !== name);
    const well = others.filter((other) => this.machineOf(caHash, other) !== undefined);
    if (!isMajority(well, others)) return false;
    etcd.delete(name);
    // Its K3s ends. If systemd restarts it, it joins again.
    const disk = this.machineOf(caHash, name)?.disk;
    if (disk?.has(LEAVING)) disk.endK3s();
    else if (disk?.k3s) setTimeout(() => disk.k3s && this.register(disk.k3s), 100).unref();
    return true;
  }
}

function newNode(version: string): SimulatedNode {
  return { version, unschedulable: false, taints: [], labels: {}, annotations: {} };
}

/** A name for a new member of etcd, in K3s' form. */
export function newMemberName(name: string): string {
  return `${name}-${randomBytes(4).toString("hex")}`;
}

/** Hash of a new CA, as in K3s' tokens. */
export function newCaHash(): string {
  return randomBytes(32).toString("hex");
}

function isMajority(some: readonly string[], all: { readonly length: number } | ReadonlySet<string>): boolean {
  return some.length * 2 > ("size" in all ? all.size : all.length);
}
