import type { EndpointPlan } from "./endpoint";
import type { Architecture, SumOrigin, Sums } from "./sums";
import type { Taint } from "./taints";

/** What a node is in the cluster: a K3s server (control plane) or an agent (worker). */
export type NodeRole = "server" | "agent";

/** When the Proxmox host starts and stops a guest (Proxmox VE's `startup`). */
export interface StartupPlan {
  /** Guests with a lower number start first, guests without one last. They shut down in the reverse order. */
  readonly order?: number | undefined;
  /** How long the host waits after the start, before it starts the next guest. */
  readonly upDelaySeconds?: number | undefined;
  /** How long the host waits for the guest's shutdown. */
  readonly downDelaySeconds?: number | undefined;
}

/** Fields of nodes of every kind. */
interface NodeBase {
  /** Hostname, Kubernetes Node name and Pulumi resource name in one; an RFC 1123 label. */
  readonly name: string;
  /** The pool's key under `cluster.pools`. */
  readonly pool: string;
  /** Index in the pool, from 1. Together with `pool` it is the node's identity and never changes. */
  readonly index: number;
  readonly role: NodeRole;
  /** Name of the Proxmox VE node that runs the guest. */
  readonly proxmoxNode: string;
  readonly vmId: number;
  /** IPv4 address without prefix. */
  readonly address: string;
  /** Prefix length of the node network, as in `address/prefix`. */
  readonly prefix: number;
  /** MAC address in upper case that the config gives. */
  readonly mac?: string;
  readonly cores: number;
  /** Weight of its processor time; absent if the guest keeps its current weight. */
  readonly cpuUnits?: number;
  readonly memoryMiB: number;
  readonly diskGiB: number;
  /** Proxmox VE storage of the root file system. */
  readonly storage: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly taints: readonly Taint[];
  /** Debian packages that are installed before K3s. */
  readonly packages: readonly string[];
  /** Its storage uses iSCSI, so iscsid is enabled. */
  readonly iscsi: boolean;
  readonly startOnBoot: boolean;
  /** Absent if the guest has no position in the start order. */
  readonly startup?: StartupPlan;
  /** Pulumi's `protect` for all of the node's resources. */
  readonly protect: boolean;
}

/** A node in a container. */
export interface LxcNodePlan extends NodeBase {
  readonly kind: "lxc";
  readonly swapMiB: number;
  /** Volume id of the container template, `<storage>:vztmpl/<file>`. */
  readonly template: string;
  /** Proxmox VE's `ostype`. Never `unmanaged`: Proxmox VE then writes neither network, hostname nor keys. */
  readonly osType: string;
}

/** A disk image on a storage of content type `import`, or one that Proxmox VE downloads there. */
export type ImagePlan =
  | {
      /** Volume id, `<storage>:import/<file>`. */
      readonly volume: string;
    }
  | {
      readonly url: string;
      /** Hex SHA-256 of the file, in lowercase letters. */
      readonly sha256: string;
      /** Proxmox VE storage of the file. */
      readonly storage: string;
      /** The ending of its file name, from which Proxmox VE takes the format. */
      readonly format: "qcow2" | "raw" | "vmdk";
    };

/** Where the root disk of a new virtual machine comes from. */
export type VmSource =
  | {
      /** VMID of the template that it is cloned from. */
      readonly template: number;
      /** A linked clone stores only the differences to the template's disk. */
      readonly clone: "full" | "linked";
    }
  | { readonly image: ImagePlan };

/** A disk of a virtual machine, in addition to its root disk. */
export interface DiskPlan {
  /** Identifies the disk, also in the machine: `/dev/disk/by-id/scsi-0QEMU_QEMU_HARDDISK_<serial>`. */
  readonly serial: string;
  readonly storage: string;
  readonly sizeGiB: number;
  /** It is mounted at `/mnt/longhorn/<serial>` and given to Longhorn. */
  readonly longhorn?: true;
}

/** A node in a virtual machine. */
export interface VmNodePlan extends NodeBase {
  readonly kind: "vm";
  readonly source: VmSource;
  /** Absent for a system like Debian or Ubuntu, whose files the scripts write. */
  readonly os?: "nixos";
  /** cloud-init installs the guest agent at the first boot. */
  readonly installAgent: boolean;
  /** Proxmox VE's CPU type, `x86-64-v2-AES` by default. */
  readonly cpuType: string;
  /** Firmware and chipset; absent for those of the template. */
  readonly bios?: "seabios" | "ovmf";
  readonly machine?: "i440fx" | "q35";
  /** MAC address if the config gives none: stable, locally administered, unicast. */
  readonly ownMac: string;
  /** Disks that outlive the machine. */
  readonly disks: readonly DiskPlan[];
  /** VMID of the guest that keeps these disks; absent if there are none. */
  readonly disksVmId?: number;
}

/** One complete node: no other code computes anything about it. A union by `kind`; every `switch` over it ends with `never`. */
export type NodePlan = LxcNodePlan | VmNodePlan;

/** Source of the K3s binary: `<baseUrl>/<version>/<binaryName>`, or an absolute path on the Proxmox host. */
export type K3sSource = { readonly baseUrl: string } | { readonly file: string };

/** Values that K3s accepts for a key of its config file. */
export type K3sConfigValue = string | number | boolean | readonly (string | number)[];

export interface NetworkPlan {
  readonly cidr: string;
  readonly gateway: string;
  readonly bridge: string;
  readonly nameservers: readonly string[];
  readonly searchDomain?: string | undefined;
  /** VLAN tag, 1 to 4094. */
  readonly vlan?: number | undefined;
  readonly podCidr: string;
  readonly serviceCidr: string;
}

export interface ProxmoxPlan {
  /** Name of the Proxmox VE node. */
  readonly node: string;
  /** The region of new nodes in Kubernetes; by default the Proxmox VE node's name. */
  readonly region: string;
  /** Address or DNS name of its SSH server. */
  readonly host: string;
  readonly sshPort: number;
  readonly sshUser: string;
  /** The host's public key, `ssh-ed25519 …` or `ecdsa-…`. */
  readonly hostKey: string;
  /** URL of the API, `https://<host>:8006/` by default. */
  readonly endpoint: string;
  /** File with the CA of its certificate, absolute or below the program's folder; absent for the machine's own CAs. */
  readonly caFile?: string;
  /** The TLS certificate is not verified. The config asked for it, and the preview warns about it. */
  readonly insecure: boolean;
  /** Proxmox VE storage for the file with which cloud-init installs the guest agent. */
  readonly snippets: string;
  /** The Proxmox VE pool of the guests. The API token may change the guests of this pool and no others. */
  readonly resourcePool: string;
}

/** K3s' datastore. */
export type Datastore = "sqlite" | "etcd";

/** Where nodes get the images of a registry. */
export interface MirrorPlan {
  /** URLs, asked in this order before the registry itself. */
  readonly endpoints: readonly string[];
  /** Go's regular expressions for the path of an image, each with the replacement for its match. */
  readonly rewrites: Readonly<Record<string, string>>;
}

/** How nodes connect to a registry or a mirror. */
export interface RegistryConfigPlan {
  /** They log in with the login in the secret `registryAuth`. */
  readonly auth: boolean;
  /** File with its CA, absolute or below the program's folder; absent for the CAs of the node's system. */
  readonly caFile?: string;
  /** Its TLS certificate is not verified. */
  readonly insecureSkipVerify: boolean;
}

/** K3s' `registries.yaml`, without a secret. */
export interface RegistriesPlan {
  /** By the name of the registry in image names; `*` for all. */
  readonly mirrors: Readonly<Record<string, MirrorPlan>>;
  /** By host name, with its port if the URL has one. */
  readonly configs: Readonly<Record<string, RegistryConfigPlan>>;
  /** Nodes give each other the images of `mirrors` (K3s' `embedded-registry`, no longer experimental since v1.31.4). */
  readonly embedded: boolean;
}

export interface K3sPlan {
  readonly datastore: Datastore;
  readonly source: K3sSource;
  /** Hex SHA-256 of the binary; no entry for an architecture whose sum is read from the release's own list. */
  readonly sha256: Sums;
  readonly sumOrigin: SumOrigin;
  /** Nodes get the release's air-gap image archive too. */
  readonly airgapImages: boolean;
  readonly imagesSha256: Sums;
  readonly imagesSumOrigin: SumOrigin;
  /** Packaged components that K3s leaves out. */
  readonly disable: readonly string[];
  /** Absent if the program writes no `registries.yaml`. */
  readonly registries?: RegistriesPlan;
  /** Octal mode of `/etc/rancher/k3s/k3s.yaml`, "600" by default. */
  readonly kubeconfigMode: string;
  readonly tlsSans: readonly string[];
  readonly extraServerConfig: Readonly<Record<string, K3sConfigValue>>;
  readonly extraAgentConfig: Readonly<Record<string, K3sConfigValue>>;
  readonly startTimeoutSeconds: number;
}

/** The packet filter of the nodes. */
export interface FirewallPlan {
  /** Who may use SSH and the Kubernetes API. */
  readonly adminNetworks: readonly string[];
  /** Who may use services. */
  readonly nodePortNetworks: readonly string[];
  /** In the order of their names. */
  readonly extra: readonly {
    readonly name: string;
    readonly protocol: "tcp" | "udp";
    /** `9100` or `9100-9110`. */
    readonly ports: string;
    readonly networks: readonly string[];
  }[];
}

/** What happens if pods cannot be evicted in time: the removal stops and keeps the node, or it deletes the pods. */
export type OnBlocked = "stop" | "force";

/**
 * What happens if the only copy of a volume is on a removed node: the removal stops before it drains the node, or the volume is
 * destroyed with the node's disk.
 */
export type OnLocalData = "stop" | "delete";

/** What happens to the further disks of a virtual machine whose node is removed for good. */
export type OnDisks = "keep" | "delete";

/** A warning about a valid plan. */
export interface Warning {
  /** The config key that causes it, as in problems: `cluster.pools.worker.retired`; absent if it is not a single key. */
  readonly path?: string;
  /** One sentence, complete without the path. */
  readonly text: string;
  /** When the warning is shown: only if nodes are created, or also if they get another release. By default in every preview. */
  readonly about?: "new nodes" | "a new release";
}

/** The desired state of the whole cluster. */
export interface ClusterPlan {
  readonly name: string;
  /** K3s release, `v1.36.3+k3s1`. */
  readonly version: string;
  /** Proxmox VE tag of the cluster's guests, `k3s-<name>`. It is for people only, and never proves ownership. */
  readonly tag: string;
  readonly endpoint: EndpointPlan;
  /** Architecture of all nodes, because they run on one Proxmox host. */
  readonly arch: Architecture;
  readonly network: NetworkPlan;
  readonly proxmox: ProxmoxPlan;
  readonly k3s: K3sPlan;
  /** Absent if the nodes have no packet filter from the program. */
  readonly firewall?: FirewallPlan;
  readonly removal: {
    readonly drainTimeoutSeconds: number;
    /** Time in which Longhorn must move the replicas of a node. */
    readonly evictionTimeoutSeconds: number;
    readonly onBlocked: OnBlocked;
    readonly onLocalData: OnLocalData;
    readonly onDisks: OnDisks;
    /** Allows replacing or removing the only server while the cluster stays in the program. */
    readonly allowControlPlaneLoss: boolean;
  };
  readonly rollout: {
    /** How many nodes at a time a change may disturb, 1 by default. */
    readonly concurrency: number;
  };
  readonly onboarding: {
    /** Nodes show their progress by HTTP while they join. */
    readonly http: boolean;
  };
  readonly ssh: { readonly authorizedKeys: readonly string[] };
  /** In the order of their set-up: by pool name, then index. */
  readonly servers: readonly NodePlan[];
  readonly agents: readonly NodePlan[];
  /** Servers, then agents. */
  readonly nodes: readonly NodePlan[];
  readonly warnings: readonly Warning[];
}

/** Whether cloud-init installs the guest agent of a new machine. */
export const installsAgent = (node: NodePlan): node is VmNodePlan => node.kind === "vm" && node.installAgent;

/** Whether a NixOS module configures the machine. */
export const isNixos = (node: NodePlan): node is VmNodePlan => node.kind === "vm" && node.os === "nixos";

/** Where the node mounts a disk for Longhorn; `scripts/node/storage.sh` does it. */
export const longhornPath = (serial: string): string => `/mnt/longhorn/${serial}`;

/** The disks of a node that Longhorn gets. */
export const longhornDisks = (node: NodePlan): readonly DiskPlan[] =>
  node.kind === "vm" ? node.disks.filter(({ longhorn }) => longhorn) : [];

/** Whether the servers show etcd's metrics to others, at port 2381. */
export const exposesEtcdMetrics = ({ k3s }: Pick<ClusterPlan, "k3s">): boolean =>
  k3s.datastore === "etcd" && k3s.extraServerConfig["etcd-expose-metrics"] === true;

/** Whether the node is a member of etcd once it is Ready. */
export function isEtcdMember({ role }: NodePlan, { k3s }: Pick<ClusterPlan, "k3s">): boolean {
  return role === "server" && k3s.datastore === "etcd";
}
