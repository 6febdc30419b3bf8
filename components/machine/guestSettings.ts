import { imageVolume, vendorDataVolume } from "../../plan/bootFiles";
import type { ClusterPlan, NodePlan } from "../../plan/model";
import { containerSettings } from "./containerSettings";
import { vmSettings } from "./vmSettings";

/** A guest of any kind as Proxmox VE is asked for it, but for the mark; with the names of what was downloaded for it. */
export function guestSettings(node: NodePlan, plan: ClusterPlan, clusterId: string): object {
  if (node.kind === "lxc") return containerSettings(node, plan);
  const [image, vendorData] = [imageVolume(clusterId, node), vendorDataVolume(clusterId, node, plan)];
  return vmSettings(node, plan, {}, { ...(image && { image }), ...(vendorData && { vendorData }) });
}
