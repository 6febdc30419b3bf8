import { type ClusterPlan, type DiskPlan, isNixos, longhornDisks, type NodePlan, type StartupPlan } from "./model";
import { type K3sOptions, k3sOptions } from "./render/k3sConfig";
import { nixosModuleSum } from "./render/nixosModule";
import { registriesYaml } from "./render/registries";
import type { Architecture } from "./sums";

/** What K3s was told on a node the last time that its step succeeded. */
export interface K3sRecord {
  readonly role: NodePlan["role"];
  /** K3s release, `v1.36.3+k3s1`. */
  readonly version: string;
  /** Of the binary that runs there. */
  readonly arch: Architecture;
  /** What `/etc/rancher/k3s/config.yaml` holds, without a secret. */
  readonly options: K3sOptions;
  /** The same of `/etc/rancher/k3s/registries.yaml`; absent if the program writes none. */
  readonly registries?: string;
}

/**
 * What somebody added to a guest by hand and a refresh has seen, as the Proxmox provider records it; the program hands it back
 * as it is.
 */
export interface FurtherDevices {
  readonly networkInterfaces: readonly object[];
  readonly ipConfigs: readonly object[];
}

/** A node as the stack's state records it: what was applied, not what was asked for. */
export interface NodeRecord {
  readonly name: string;
  readonly kind: NodePlan["kind"];
  readonly vmId: number;
  readonly proxmoxNode: string;
  /** IPv4 address without prefix. */
  readonly address: string;
  readonly prefix: number;
  readonly gateway: string;
  readonly nameservers: readonly string[];
  readonly searchDomain?: string | undefined;
  readonly bridge: string;
  readonly vlan?: number | undefined;
  /** The one that the config gives, or that Proxmox VE assigned. */
  readonly mac?: string | undefined;
  readonly cores: number;
  /** Absent where neither the config nor the state gives one. */
  readonly cpuUnits?: number | undefined;
  /** Absent for a system like Debian or Ubuntu, and where K3s was never installed. */
  readonly os?: "nixos" | undefined;
  /** SHA-256 of the NixOS module of the system that K3s was started with. */
  readonly moduleSum?: string | undefined;
  /** Of virtual machines only. */
  readonly cpuType?: string | undefined;
  readonly memoryMiB: number;
  /** 0 for a virtual machine: Proxmox VE gives it no swap. */
  readonly swapMiB: number;
  readonly diskGiB: number;
  /** Proxmox VE storage of the root file system; absent where the state does not name it. */
  readonly storage?: string | undefined;
  /** Proxmox VE's `ostype` as it was at creation; absent where Proxmox VE has none that this program knows. */
  readonly osType?: string | undefined;
  /** Debian packages that its step has installed; absent if it has no such step. */
  readonly packages?: readonly string[] | undefined;
  readonly startOnBoot: boolean;
  readonly startup?: StartupPlan | undefined;
  /** Volume id of what cloud-init got beside the node's own settings; of virtual machines only. */
  readonly vendorData?: string | undefined;
  /** Disks that outlive the machine, and the VMID of the guest that keeps them; absent if there are none. */
  readonly disks?: readonly DiskPlan[] | undefined;
  readonly disksVmId?: number | undefined;
  /** Serials of the disks that Longhorn has got; absent if there are none. */
  readonly longhorn?: readonly string[] | undefined;
  /** Network interfaces beside the node's own. */
  readonly further?: FurtherDevices | undefined;
  /** Absent where K3s was never installed. */
  readonly k3s?: K3sRecord | undefined;
}

/** A cluster as the stack's state records it. */
export interface ClusterRecord {
  /** The clusters that have an identity in the state: one, or none before the first `up`. */
  readonly clusters: readonly string[];
  readonly nodes: readonly NodeRecord[];
  /**
   * By name, virtual machines whose creation failed after the copy of the template, with the id of that creation. They are no nodes
   * yet, and the state takes settings for theirs that Proxmox VE never got, so they are made anew. Absent if there are none.
   */
  readonly halfMade?: Readonly<Record<string, string>>;
}

/**
 * What the state will record of a node when the plan has been applied.
 * @param former what it records before; undefined for a new node
 */
export function recordOf(node: NodePlan, plan: ClusterPlan, former?: NodeRecord): NodeRecord {
  const { network } = plan;
  return {
    name: node.name,
    kind: node.kind,
    vmId: node.vmId,
    proxmoxNode: node.proxmoxNode,
    address: node.address,
    prefix: node.prefix,
    gateway: network.gateway,
    nameservers: network.nameservers,
    searchDomain: network.searchDomain,
    bridge: network.bridge,
    vlan: network.vlan,
    cores: node.cores,
    ...(node.cpuUnits === undefined ? {} : { cpuUnits: node.cpuUnits }),
    memoryMiB: node.memoryMiB,
    diskGiB: node.diskGiB,
    storage: node.storage,
    ...(node.packages.length === 0 ? {} : { packages: node.packages }),
    startOnBoot: node.startOnBoot,
    startup: node.startup,
    ...ofKind(node),
    ...(isNixos(node) ? { moduleSum: nixosModuleSum(node, plan, former) } : {}),
    k3s: {
      ...{ role: node.role, version: plan.version, arch: plan.arch, options: k3sOptions(node, plan, former) },
      ...(plan.k3s.registries === undefined ? {} : { registries: registriesYaml(plan.k3s.registries) }),
    },
  };
}

function ofKind(
  node: NodePlan,
): Pick<NodeRecord, "mac" | "os" | "swapMiB" | "osType" | "cpuType" | "disks" | "disksVmId" | "longhorn"> {
  switch (node.kind) {
    case "lxc":
      return { mac: node.mac, swapMiB: node.swapMiB, osType: node.osType };
    case "vm":
      return {
        ...{ mac: node.mac ?? node.ownMac, swapMiB: 0, cpuType: node.cpuType },
        ...(node.os === undefined ? {} : { os: node.os }),
        ...(node.disksVmId === undefined ? {} : { disks: node.disks.map(asRecorded), disksVmId: node.disksVmId }),
        ...(longhornDisks(node).length === 0 ? {} : { longhorn: longhornDisks(node).map(({ serial }) => serial) }),
      };
    default: {
      const exhaustive: never = node;
      throw new Error(`unknown kind of node: ${JSON.stringify(exhaustive)}`);
    }
  }
}

const asRecorded = ({ serial, storage, sizeGiB }: DiskPlan): DiskPlan => ({ serial, storage, sizeGiB });

/** The same for a whole plan. */
export function clusterRecordOf(plan: ClusterPlan): ClusterRecord {
  return { clusters: [plan.name], nodes: plan.nodes.map((node) => recordOf(node, plan)) };
}

export const isServerRecord = ({ k3s }: NodeRecord): boolean => k3s?.role === "server";
/** True if the node is a server with etcd. */
export const isEtcdRecord = (node: NodeRecord): boolean =>
  isServerRecord(node) && node.k3s?.options["cluster-init"] === true;
