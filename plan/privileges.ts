import type { ClusterPlan } from "./model";

/** Where a privilege is needed: on the guests of the cluster's resource pool, on all guests, the storages, the bridge, or at `/`. */
type Scope = "pool" | "guests" | "storage" | "bridge" | "root";

/**
 * The minimum privileges to create, change and delete a privileged container with the Proxmox provider. Each entry says what
 * needs the privilege, and where.
 *
 * Privileges that change a guest are needed only on the cluster's resource pool. So Proxmox VE itself refuses every change of
 * a guest that is not in it (docs/decisions/0007). The privilege to read is needed everywhere: a deleted guest is in no pool,
 * and without that privilege Proxmox VE answers "forbidden" instead of "does not exist".
 */
export const REQUIRED_PRIVILEGES: Readonly<Record<string, { readonly scope: Scope; readonly why: string }>> = {
  "VM.Allocate": { scope: "pool", why: "create and destroy a container; change its nesting" },
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
  "Sys.Modify": { scope: "root", why: "a privileged container (since Proxmox VE 9.0)" },
};

/** A role as the README creates it. */
export interface Role {
  readonly name: string;
  readonly privileges: readonly string[];
}

const names = Object.keys(REQUIRED_PRIVILEGES);
const isOfPool = (privilege: string): boolean => REQUIRED_PRIVILEGES[privilege]!.scope === "pool";

/** Changes guests; granted on the cluster's resource pool. */
export const POOL_ROLE: Role = { name: "PulumiK3s", privileges: names.filter(isOfPool) };
/** Reads guests and uses the host's storages and bridges; granted at `/`. */
export const HOST_ROLE: Role = { name: "PulumiK3sHost", privileges: names.filter((name) => !isOfPool(name)) };

export const poolPath = (pool: string): string => `/pool/${pool}`;

/** The privileges that a cluster needs, by path of Proxmox VE's access control. */
export function privilegePaths(plan: ClusterPlan): ReadonlyMap<string, readonly string[]> {
  const { bridge, vlan } = plan.network;
  const paths: Readonly<Record<Scope, readonly string[]>> = {
    root: ["/"],
    pool: [poolPath(plan.proxmox.resourcePool)],
    guests: ["/vms"],
    storage: plan.nodes.flatMap(({ storage, template }) => [`/storage/${storage}`, `/storage/${storageOf(template)}`]),
    // The host's bridges belong to the zone `localnetwork` (PVE::RPCEnvironment::check_sdn_bridge).
    bridge: [`/sdn/zones/localnetwork/${bridge}${vlan === undefined ? "" : `/${vlan}`}`],
  };
  const needed = new Map<string, string[]>();
  for (const [privilege, { scope }] of Object.entries(REQUIRED_PRIVILEGES)) {
    for (const path of new Set(paths[scope])) needed.set(path, [...(needed.get(path) ?? []), privilege]);
  }
  return needed;
}

function storageOf(volumeId: string): string {
  return volumeId.slice(0, volumeId.indexOf(":"));
}
