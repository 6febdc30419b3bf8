import { type ClusterPlan, type DiskPlan, isNixos, longhornDisks, type NodePlan, type StartupPlan } from "./model";
import { type K3sOptions, k3sOptions } from "./render/k3sConfig";
import { nixosModuleSum } from "./render/nixosModule";
import { registriesYaml } from "./render/registries";
import type { Architecture } from "./sums";

/** The settings of K3s on a node, as its last successful step applied them. */
export interface K3sRecord {
  readonly role: NodePlan["role"];
  /** K3s release, `v1.36.3+k3s1`. */
  readonly version: string;
  /** The architecture of the binary that runs there. */
  readonly arch: Architecture;
  /** The content of `/etc/rancher/k3s/config.yaml`, without a secret. */
  readonly options: K3sOptions;
  /** The content of `/etc/rancher/k3s/registries.yaml`, without a secret; absent if the program writes none. */
  readonly registries?: string;
}

/**
 * Devices that somebody added to a guest by hand and a refresh has seen, as the Proxmox provider records them. The program sends
 * them back unchanged.
 */
export interface FurtherDevices {
  readonly networkInterfaces: readonly object[];
  readonly ipConfigs: readonly object[];
}

/** A node as the stack's state records it: what was applied, not what was requested. */
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
  /** The address from the config, or the one that Proxmox VE assigned. */
  readonly mac?: string | undefined;
  readonly cores: number;
  /** Absent if neither the config nor the state has one. */
  readonly cpuUnits?: number | undefined;
  /** Absent for a system like Debian or Ubuntu, and if K3s was never installed. */
  readonly os?: "nixos" | undefined;
  /** SHA-256 of the NixOS module of the system with which K3s was started. */
  readonly moduleSum?: string | undefined;
  /** Only for virtual machines. */
  readonly cpuType?: string | undefined;
  readonly memoryMiB: number;
  /** 0 for a virtual machine: Proxmox VE gives it no swap. */
  readonly swapMiB: number;
  readonly diskGiB: number;
  /** Proxmox VE storage of the root file system; absent if the state does not name it. */
  readonly storage?: string | undefined;
  /** Proxmox VE's `ostype` as it was at creation; absent if Proxmox VE has none that this program knows. */
  readonly osType?: string | undefined;
  /** Debian packages that the node's step has installed; absent if there is no such step. */
  readonly packages?: readonly string[] | undefined;
  readonly startOnBoot: boolean;
  readonly startup?: StartupPlan | undefined;
  /** Volume id of the file that cloud-init read in addition to the node's own settings; only for virtual machines. */
  readonly vendorData?: string | undefined;
  /** Disks that outlive the machine, and the VMID of the guest that keeps them; absent if there are none. */
  readonly disks?: readonly DiskPlan[] | undefined;
  readonly disksVmId?: number | undefined;
  /** Serials of the disks that Longhorn uses; absent if there are none. */
  readonly longhorn?: readonly string[] | undefined;
  /** Network interfaces in addition to the node's own. */
  readonly further?: FurtherDevices | undefined;
  /** Absent if K3s was never installed. */
  readonly k3s?: K3sRecord | undefined;
}

/** A cluster as the stack's state records it. */
export interface ClusterRecord {
  /** The clusters that have an identity in the state: one, or none before the first `up`. */
  readonly clusters: readonly string[];
  readonly nodes: readonly NodeRecord[];
  /**
   * Virtual machines whose creation failed after the copy of the template: the id of that creation, by name. They are not nodes
   * yet, and the state has settings of them that Proxmox VE never got. So they are destroyed and created again. Absent if there
   * are none.
   */
  readonly halfMade?: Readonly<Record<string, string>>;
}

/**
 * What the state will record of a node when the plan has been applied.
 * @param former what it records now; undefined for a new node
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
