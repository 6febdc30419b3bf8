import type { NetworkPlan, NodePlan, StartupPlan } from "../../plan/model";
import type { FurtherDevices, NodeRecord } from "../../plan/record";
import type { ClusterContext } from "../ClusterContext";

/* Settings of a guest that are the same for every kind. */

export const NO_DEVICES: FurtherDevices = { networkInterfaces: [], ipConfigs: [] };

/** Settings that stay as the state records them, whatever the config says now. */
export type FormerGuest = Partial<NodeRecord>;

/** A guest that is created again keeps nothing of the former one. */
export function formerGuest(
  { name, vmId }: { readonly name: string; readonly vmId: number },
  { former }: Pick<ClusterContext, "former">,
): FormerGuest {
  const node = former.get(name);
  return node?.vmId === vmId ? node : {};
}

export function startup({ order, upDelaySeconds, downDelaySeconds }: StartupPlan) {
  return { order, upDelay: upDelaySeconds, downDelay: downDelaySeconds };
}

export const units = ({ cpuUnits }: Pick<NodePlan, "cpuUnits">): { units?: number } =>
  cpuUnits === undefined ? {} : { units: cpuUnits };

export function dns(network: NetworkPlan): { servers: string[]; domain?: string } {
  return { servers: [...network.nameservers], ...(network.searchDomain ? { domain: network.searchDomain } : {}) };
}
