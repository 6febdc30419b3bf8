import type { ClusterPlan } from "../model";

/**
 * What the checks on the Proxmox host (`scripts/host/preflight.sh`) are told of a plan: its place, and for each machine what
 * it takes there. Nothing else, so that they run anew only when one of these has changed.
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
