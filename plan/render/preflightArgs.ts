import type { ClusterPlan } from "../model";

/**
 * The arguments of the checks on the Proxmox host (`scripts/host/preflight.sh`): the host's node, bridge and pool, and what
 * each machine needs there. Nothing else, so that the checks run again only if one of these has changed.
 */
export function preflightArgs(plan: ClusterPlan): Readonly<Record<string, string>> {
  return {
    PVE_NODE: plan.proxmox.node,
    BRIDGE: plan.network.bridge,
    POOL: plan.proxmox.resourcePool,
    NODES: plan.nodes
      .map(({ vmId, name, address, storage, diskGiB, template }) =>
        [vmId, name, address, storage, diskGiB, template].join(" "),
      )
      .join("\n"),
  };
}
