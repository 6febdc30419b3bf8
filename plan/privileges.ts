import type { ClusterPlan, NodePlan, VmNodePlan } from "./model";

/**
 * Where a privilege is needed: on the guests of the cluster's resource pool, on all guests, the storages, the bridge, the
 * templates of virtual machines, or at `/`.
 */
type Scope = "pool" | "guests" | "storage" | "bridge" | "templates" | "root";
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
  "Sys.Modify": { scope: "root", why: "a privileged container (since Proxmox VE 9.0); a place in the order of starts" },
};

/** What a virtual machine needs in addition. The program asks its guest agent on the host, so the token needs nothing for that. */
export const VM_PRIVILEGES: Privileges = {
  "VM.Clone": { scope: "templates", why: "copy the template" },
  "VM.Config.CDROM": { scope: "pool", why: "the drive with cloud-init's settings" },
  "VM.Config.Cloudinit": { scope: "pool", why: "cloud-init's user, keys, address and DNS" },
  "VM.Config.HWType": { scope: "pool", why: "the SCSI controller and the serial console" },
  "Datastore.Audit": { scope: "storage", why: "read the format of the disk" },
};

/** A role as the README creates it. */
export interface Role {
  readonly name: string;
  readonly privileges: readonly string[];
}

/** The privileges whose scope is, or is not, one of these. */
const within = (privileges: Privileges, scopes: readonly Scope[], are = true): string[] =>
  Object.keys(privileges).filter((name) => scopes.includes(privileges[name]!.scope) === are);

/** Changes guests; granted on the cluster's resource pool. */
export const POOL_ROLE: Role = { name: "PulumiK3s", privileges: within(REQUIRED_PRIVILEGES, ["pool"]) };
/** Reads guests and uses the host's storages and bridges; granted at `/`. */
export const HOST_ROLE: Role = { name: "PulumiK3sHost", privileges: within(REQUIRED_PRIVILEGES, ["pool"], false) };
/** What virtual machines need beside {@link POOL_ROLE}; granted on the cluster's resource pool. */
export const VM_ROLE: Role = { name: "PulumiK3sVm", privileges: within(VM_PRIVILEGES, ["pool"]) };
/** What virtual machines need beside {@link HOST_ROLE}; granted at the same path, because roles below `/` replace those at `/`. */
export const STORAGE_ROLE: Role = { name: "PulumiK3sStorage", privileges: within(VM_PRIVILEGES, ["storage"]) };
/** Granted on each template of virtual machines, and nowhere else: who may copy a guest may read its disk. */
export const TEMPLATE_ROLE: Role = {
  name: "PulumiK3sTemplate",
  privileges: [...within(VM_PRIVILEGES, ["templates"]), ...within(REQUIRED_PRIVILEGES, ["guests"])],
};

export const poolPath = (pool: string): string => `/pool/${pool}`;
export const templatePath = (vmId: number): string => `/vms/${vmId}`;

/** The templates of a plan's virtual machines. */
export const vmTemplates = ({ nodes }: Pick<ClusterPlan, "nodes">): number[] => [
  ...new Set(nodes.filter((node): node is VmNodePlan => node.kind === "vm").map(({ template }) => template)),
];

/** The roles that a plan needs, each with the path where it is granted. */
export function rolesOf(plan: ClusterPlan): { readonly role: Role; readonly path: string }[] {
  const [pool, templates] = [poolPath(plan.proxmox.resourcePool), vmTemplates(plan)];
  return [
    { role: POOL_ROLE, path: pool },
    { role: HOST_ROLE, path: "/" },
    ...(templates.length > 0
      ? [
          { role: VM_ROLE, path: pool },
          { role: STORAGE_ROLE, path: "/" },
        ]
      : []),
    // The token has VM.Audit at `/` too, so that says nothing about this role.
    ...templates.map((vmId) => ({
      role: { ...TEMPLATE_ROLE, privileges: within(VM_PRIVILEGES, ["templates"]) },
      path: templatePath(vmId),
    })),
  ];
}

/** The privileges that a cluster needs, by path of Proxmox VE's access control. */
export function privilegePaths(plan: ClusterPlan): ReadonlyMap<string, readonly string[]> {
  const { bridge, vlan } = plan.network;
  const paths: Readonly<Record<Scope, readonly string[]>> = {
    root: ["/"],
    pool: [poolPath(plan.proxmox.resourcePool)],
    guests: ["/vms"],
    storage: plan.nodes.flatMap((node) => storagesOf(node).map((storage) => `/storage/${storage}`)),
    // The host's bridges belong to the zone `localnetwork` (PVE::RPCEnvironment::check_sdn_bridge).
    templates: vmTemplates(plan).map(templatePath),
    bridge: [`/sdn/zones/localnetwork/${bridge}${vlan === undefined ? "" : `/${vlan}`}`],
  };
  const needed = new Map<string, string[]>();
  const isVm = plan.nodes.some(({ kind }) => kind === "vm");
  for (const [privilege, { scope }] of Object.entries({ ...REQUIRED_PRIVILEGES, ...(isVm ? VM_PRIVILEGES : {}) })) {
    for (const path of new Set(paths[scope])) needed.set(path, [...(needed.get(path) ?? []), privilege]);
  }
  return needed;
}

/** The storages of a guest's disk and, for a container, of its template. */
function storagesOf(node: NodePlan): string[] {
  return node.kind === "lxc" ? [node.storage, node.template.slice(0, node.template.indexOf(":"))] : [node.storage];
}
