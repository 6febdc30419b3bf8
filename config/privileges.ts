import type { ClusterPlan } from "./plan";

/** What a privilege is checked for: each guest's path, the storages', the bridge's, or the root of all. */
type Scope = "guest" | "storage" | "bridge" | "root";

/**
 * The least privileges with which the Proxmox client creates, changes and deletes a privileged container, each with what
 * asks for it and where. The README grants all of them at `/`; narrower grants do as well.
 */
export const REQUIRED_PRIVILEGES: Readonly<Record<string, { readonly scope: Scope; readonly why: string }>> = {
  "VM.Allocate": { scope: "guest", why: "create and destroy a container; change its nesting" },
  "VM.Audit": { scope: "guest", why: "read its configuration, status and addresses" },
  "VM.PowerMgmt": { scope: "guest", why: "start, shut down, reboot" },
  "VM.Config.CPU": { scope: "guest", why: "cores, cpulimit, cpuunits" },
  "VM.Config.Memory": { scope: "guest", why: "memory, swap" },
  "VM.Config.Disk": { scope: "guest", why: "rootfs and its size" },
  "VM.Config.Network": { scope: "guest", why: "network interfaces, hostname, DNS" },
  "VM.Config.Options": {
    scope: "guest",
    why: "description, tags, start at boot, protection, console, operating system type",
  },
  "Datastore.AllocateSpace": {
    scope: "storage",
    why: "the disk on its datastore; reading the template from its own",
  },
  "SDN.Use": { scope: "bridge", why: "attaching to a bridge" },
  "Sys.Modify": { scope: "root", why: "a privileged container (since Proxmox VE 9.0)" },
};

/** The paths of Proxmox VE's access control at which a cluster needs privileges, each with their names. */
export function privilegePaths(plan: ClusterPlan): ReadonlyMap<string, readonly string[]> {
  const { bridge, vlan } = plan.network;
  const paths: Readonly<Record<Scope, readonly string[]>> = {
    root: ["/"],
    guest: plan.nodes.map(({ vmId }) => `/vms/${vmId}`),
    storage: plan.nodes.flatMap(({ datastore, template }) => [
      `/storage/${datastore}`,
      `/storage/${storageOf(template)}`,
    ]),
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
