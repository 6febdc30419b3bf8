import { imageVolume, vendorDataVolume } from "../../plan/bootFiles";
import type { ClusterPlan, NodePlan } from "../../plan/model";
import { containerSettings } from "./containerSettings";
import { vmSettings } from "./vmSettings";

/** A guest's settings for Proxmox VE, of any kind, without the mark; with the names of the files that were downloaded for it. */
export function guestSettings(node: NodePlan, plan: ClusterPlan, clusterId: string): object {
  if (node.kind === "lxc") return containerSettings(node, plan);
  const [image, vendorData] = [imageVolume(clusterId, node), vendorDataVolume(clusterId, node, plan)];
  return vmSettings(node, plan, {}, { ...(image && { image }), ...(vendorData && { vendorData }) });
}
