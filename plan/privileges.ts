import type { ClusterPlan } from "./model";

/** What a privilege is checked for: the guests of the cluster's resource pool, all guests, the storages, the bridge, or the root of all. */
type Scope = "pool" | "guests" | "storage" | "bridge" | "root";

/**
 * The least privileges with which the Proxmox client creates, changes and deletes a privileged container, each with what
 * asks for it and where.
 *
 * What changes a guest is asked for at the cluster's resource pool alone: Proxmox VE itself then refuses every change of
 * a guest that is not in it (docs/decisions/0007). Reading is asked for everywhere, because a guest that is gone is in no
 * pool, and to whom may not read it Proxmox VE says "forbidden" and not "gone".
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

/** A role as the README has it made: where it is granted and what it holds. */
export interface Role {
  readonly name: string;
  readonly privileges: readonly string[];
}

const names = Object.keys(REQUIRED_PRIVILEGES);
const isOfPool = (privilege: string): boolean => REQUIRED_PRIVILEGES[privilege]!.scope === "pool";

/** Changes guests; granted at the cluster's resource pool. */
export const POOL_ROLE: Role = { name: "PulumiK3s", privileges: names.filter(isOfPool) };
/** Reads guests and uses what the host has; granted at `/`. */
export const HOST_ROLE: Role = { name: "PulumiK3sHost", privileges: names.filter((name) => !isOfPool(name)) };

export const poolPath = (pool: string): string => `/pool/${pool}`;

/** The paths of Proxmox VE's access control at which a cluster needs privileges, each with their names. */
export function privilegePaths(plan: ClusterPlan): ReadonlyMap<string, readonly string[]> {
  const { bridge, vlan } = plan.network;
  const paths: Readonly<Record<Scope, readonly string[]>> = {
    root: ["/"],
    pool: [poolPath(plan.proxmox.resourcePool)],
    guests: ["/vms"],
    storage: plan.nodes.flatMap(({ storage, template }) => [`/storage/${storage}`, `/storage/${storageOf(template)}`]),
    // Bridges of the host stand in the zone `localnetwork` (PVE::RPCEnvironment::check_sdn_bridge).
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
