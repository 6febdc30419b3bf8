import { downloadedImage } from "./bootFiles";
import type { ClusterPlan, ImagePlan, NodePlan } from "./model";

/**
 * Where a privilege is needed: on the guests of the cluster's resource pool, on all guests, the storages, the bridge, the
 * templates of virtual machines, the storages of downloaded images, the Proxmox VE node, or at `/`.
 */
type Scope = "pool" | "guests" | "storage" | "bridge" | "templates" | "images" | "node" | "root";
type Privileges = Readonly<Record<string, { readonly scope: Scope; readonly why: string }>>;

/**
 * The minimum privileges to create, change and delete a guest with the Proxmox provider; containers need no others. Each entry
 * says what needs the privilege, and where.
 *
 * Privileges that change a guest are needed only on the cluster's resource pool. So Proxmox VE itself refuses every change of
 * a guest that is not in it (docs/decisions/0007). The privilege to read is needed everywhere: a deleted guest is in no pool,
 * and without that privilege Proxmox VE answers "forbidden" instead of "does not exist".
 */
export const REQUIRED_PRIVILEGES: Privileges = {
  "VM.Allocate": { scope: "pool", why: "create and destroy a guest; change a container's nesting" },
  "VM.PowerMgmt": { scope: "pool", why: "start, shut down, reboot" },
  "VM.Config.CPU": { scope: "pool", why: "cores, cpulimit, cpuunits" },
  "VM.Config.Memory": { scope: "pool", why: "memory, swap" },
  "VM.Config.Disk": { scope: "pool", why: "rootfs and its size" },
  "VM.Config.Network": { scope: "pool", why: "network interfaces, hostname, DNS" },
  "VM.Config.Options": {
    scope: "pool",
    why: "description, tags, start at boot, protection, console, operating system type",
  },
  "VM.Audit": { scope: "guests", why: "read a guest's configuration, status and addresses; learn that it is gone" },
  "Datastore.AllocateSpace": {
    scope: "storage",
    why: "the disk on its storage; reading the template from its own",
  },
  "SDN.Use": { scope: "bridge", why: "attaching to a bridge" },
  "Sys.Modify": { scope: "root", why: "a privileged container (since Proxmox VE 9.0); a position in the start order" },
};

/** What a virtual machine needs in addition. The program asks its guest agent on the host, so the token needs nothing for that. */
export const VM_PRIVILEGES: Privileges = {
  "VM.Clone": { scope: "templates", why: "copy the template" },
  "VM.Config.CDROM": { scope: "pool", why: "the drive with cloud-init's settings" },
  "VM.Config.Cloudinit": { scope: "pool", why: "cloud-init's user, keys, address and DNS" },
  "VM.Config.HWType": { scope: "pool", why: "the SCSI controller and the serial console" },
  "Datastore.Audit": { scope: "storage", why: "read the format of the disk" },
};

/** What an image that Proxmox VE downloads needs in addition. */
export const IMAGE_PRIVILEGES: Privileges = {
  "Datastore.AllocateTemplate": { scope: "images", why: "store a downloaded image" },
  "Datastore.Allocate": { scope: "images", why: "remove an image that the program downloaded" },
  "Sys.AccessNetwork": { scope: "node", why: "download an image from its URL" },
};

/** A role as `init` and docs/by-hand.md create it. */
export interface Role {
  readonly name: string;
  readonly privileges: readonly string[];
}

/** The privileges whose scope is one of these; with `are` false, the others. */
const within = (privileges: Privileges, scopes: readonly Scope[], are = true): string[] =>
  Object.keys(privileges).filter((name) => scopes.includes(privileges[name]!.scope) === are);

/** Changes guests; granted on the cluster's resource pool. */
export const POOL_ROLE: Role = { name: "PulumiK3s", privileges: within(REQUIRED_PRIVILEGES, ["pool"]) };
/** Reads guests and uses the host's storages and bridges; granted at `/`. */
export const HOST_ROLE: Role = { name: "PulumiK3sHost", privileges: within(REQUIRED_PRIVILEGES, ["pool"], false) };
/** What virtual machines need in addition to {@link POOL_ROLE}; granted on the cluster's resource pool. */
export const VM_ROLE: Role = { name: "PulumiK3sVm", privileges: within(VM_PRIVILEGES, ["pool"]) };
/**
 * What virtual machines need in addition to {@link HOST_ROLE}; granted at the same path, because roles below `/` replace those at
 * `/`.
 */
export const STORAGE_ROLE: Role = { name: "PulumiK3sStorage", privileges: within(VM_PRIVILEGES, ["storage"]) };
/** Granted on each template of virtual machines, and nowhere else: whoever may copy a guest can read its disk. */
export const TEMPLATE_ROLE: Role = {
  name: "PulumiK3sTemplate",
  privileges: [...within(VM_PRIVILEGES, ["templates"]), ...within(REQUIRED_PRIVILEGES, ["guests"])],
};

/**
 * Granted only on the storage of the downloaded images: whoever may remove a volume there may remove all of them. It repeats the
 * privileges that the roles at `/` give on a storage.
 */
export const IMAGE_ROLE: Role = {
  name: "PulumiK3sImages",
  privileges: [
    ...within(IMAGE_PRIVILEGES, ["images"]),
    ...within(REQUIRED_PRIVILEGES, ["storage"]),
    ...within(VM_PRIVILEGES, ["storage"]),
  ],
};
/** Granted on the Proxmox VE node that downloads images. */
export const DOWNLOAD_ROLE: Role = { name: "PulumiK3sDownload", privileges: within(IMAGE_PRIVILEGES, ["node"]) };

export const poolPath = (pool: string): string => `/pool/${pool}`;
export const templatePath = (vmId: number): string => `/vms/${vmId}`;
export const storagePath = (storage: string): string => `/storage/${storage}`;
export const nodePath = (node: string): string => `/nodes/${node}`;

type Nodes = Pick<ClusterPlan, "nodes">;
const unique = <T>(values: readonly T[]): T[] => [...new Set(values)];
const vmsOf = ({ nodes }: Nodes) => nodes.filter((node) => node.kind === "vm");

/** The templates of a plan's virtual machines. */
export const vmTemplates = (plan: Nodes): number[] =>
  unique(vmsOf(plan).flatMap(({ source }) => ("template" in source ? [source.template] : [])));

/** The storages of the images that Proxmox VE downloads for a plan's virtual machines. */
export const imageStorages = (plan: Nodes): string[] =>
  unique(vmsOf(plan).flatMap((node) => downloadedImage(node)?.storage ?? []));

/** The roles that a plan needs, each with the path where it is granted. */
export function rolesOf(plan: ClusterPlan): { readonly role: Role; readonly path: string }[] {
  const [pool, storages] = [poolPath(plan.proxmox.resourcePool), imageStorages(plan)];
  return [
    { role: POOL_ROLE, path: pool },
    { role: HOST_ROLE, path: "/" },
    ...(vmsOf(plan).length > 0
      ? [
          { role: VM_ROLE, path: pool },
          { role: STORAGE_ROLE, path: "/" },
        ]
      : []),
    // The token has VM.Audit at `/` too, so VM.Audit does not prove that this role was granted.
    ...vmTemplates(plan).map((vmId) => ({
      role: { ...TEMPLATE_ROLE, privileges: within(VM_PRIVILEGES, ["templates"]) },
      path: templatePath(vmId),
    })),
    ...storages.map((storage) => ({
      role: { ...IMAGE_ROLE, privileges: within(IMAGE_PRIVILEGES, ["images"]) },
      path: storagePath(storage),
    })),
    ...(storages.length > 0 ? [{ role: DOWNLOAD_ROLE, path: nodePath(plan.proxmox.node) }] : []),
  ];
}

/** The privileges that a cluster needs, by path of Proxmox VE's access control. */
export function privilegePaths(plan: ClusterPlan): ReadonlyMap<string, readonly string[]> {
  const { bridge, vlan } = plan.network;
  const paths: Readonly<Record<Scope, readonly string[]>> = {
    root: ["/"],
    pool: [poolPath(plan.proxmox.resourcePool)],
    guests: ["/vms"],
    storage: plan.nodes.flatMap((node) => storagesOf(node).map(storagePath)),
    images: imageStorages(plan).map(storagePath),
    node: imageStorages(plan).length > 0 ? [nodePath(plan.proxmox.node)] : [],
    // The host's bridges belong to the zone `localnetwork` (PVE::RPCEnvironment::check_sdn_bridge).
    templates: vmTemplates(plan).map(templatePath),
    bridge: [`/sdn/zones/localnetwork/${bridge}${vlan === undefined ? "" : `/${vlan}`}`],
  };
  const needed = new Map<string, string[]>();
  const ofVms = vmsOf(plan).length > 0 ? { ...VM_PRIVILEGES, ...IMAGE_PRIVILEGES } : {};
  for (const [privilege, { scope }] of Object.entries({ ...REQUIRED_PRIVILEGES, ...ofVms })) {
    for (const path of new Set(paths[scope])) needed.set(path, [...(needed.get(path) ?? []), privilege]);
  }
  return needed;
}

/** The storages of a guest's disks, and of its template or image. */
function storagesOf(node: NodePlan): string[] {
  if (node.kind === "lxc") return [node.storage, storageOfVolume(node.template)];
  const disks = [node.storage, ...node.disks.map(({ storage }) => storage)];
  return "image" in node.source ? [...disks, storageOf(node.source.image)] : disks;
}

const storageOf = (image: ImagePlan): string => ("volume" in image ? storageOfVolume(image.volume) : image.storage);
const storageOfVolume = (volume: string): string => volume.slice(0, volume.indexOf(":"));
