import type { ClusterPlan } from "../../plan/model";
import { type ClusterRecord, isEtcdRecord, isServerRecord, type NodeRecord, recordOf } from "../../plan/record";
import type { NodeEffect, Transitions } from "../../plan/transitions";

/** The servers, and how many of them may fail. */
export interface ControlPlane {
  readonly servers: number;
  readonly datastore: "etcd" | "sqlite" | "none";
  /** How many servers may fail while the others still have the majority. */
  readonly spares: number;
}

/** The resources that guests of the cluster get on one Proxmox VE node. */
export interface Capacity {
  readonly proxmoxNode: string;
  readonly guests: number;
  /** Processor threads. */
  readonly threads: number;
  readonly memoryMiB: number;
  readonly swapMiB: number;
  /** GiB, by storage. */
  readonly disks: Readonly<Record<string, number>>;
}

/** Used if the state does not name a guest's storage. */
export const UNKNOWN_STORAGE = "unknown storage";

/**
 * The nodes after the change. An existing node keeps its Proxmox VE node and its storage, which apply only when a guest is
 * created.
 */
export function nodesAfter(former: ClusterRecord, plan: ClusterPlan, { changes }: Transitions): NodeRecord[] {
  const standing = new Map(former.nodes.map((node) => [node.name, node]));
  const effects = new Map<string, NodeEffect>(changes.map(({ node, effect }) => [node, effect]));
  return plan.nodes.map((node) => {
    const was = standing.get(node.name);
    const is = recordOf(node, plan, was);
    return was === undefined || effects.get(node.name) === "rebuild" ? is : { ...is, storage: was.storage };
  });
}

export function controlPlane(nodes: readonly NodeRecord[]): ControlPlane {
  const servers = nodes.filter(isServerRecord);
  const isEtcd = servers.some(isEtcdRecord);
  return {
    servers: servers.length,
    datastore: servers.length === 0 ? "none" : isEtcd ? "etcd" : "sqlite",
    spares: isEtcd ? Math.floor((servers.length - 1) / 2) : 0,
  };
}

/** By Proxmox VE node. */
export function capacities(nodes: readonly NodeRecord[]): Capacity[] {
  const places = [...new Set(nodes.map(({ proxmoxNode }) => proxmoxNode))].sort();
  return places.map((proxmoxNode) => {
    const guests = nodes.filter((node) => node.proxmoxNode === proxmoxNode);
    const disks = guests.flatMap(({ storage, diskGiB, disks: further = [] }) => [
      { storage: storage ?? UNKNOWN_STORAGE, sizeGiB: diskGiB },
      ...further,
    ]);
    const storages = [...new Set(disks.map(({ storage }) => storage))].sort();
    const sum = (of: (node: NodeRecord) => number): number => guests.reduce((total, node) => total + of(node), 0);
    return {
      proxmoxNode,
      guests: guests.length,
      threads: sum(({ cores }) => cores),
      memoryMiB: sum(({ memoryMiB }) => memoryMiB),
      swapMiB: sum(({ swapMiB }) => swapMiB),
      disks: Object.fromEntries(
        storages.map((storage) => [
          storage,
          disks.reduce((total, disk) => total + (disk.storage === storage ? disk.sizeGiB : 0), 0),
        ]),
      ),
    };
  });
}
