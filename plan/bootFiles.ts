import type { ClusterPlan, ImagePlan, VmNodePlan } from "./model";

/**
 * Files on the Proxmox host from which new virtual machines are created. The names of the files that the program puts there
 * contain the cluster's id, so they belong to this cluster only. Otherwise, if a file with the right sum already existed, the
 * client would take it for its own and later remove it.
 */

/** An image that Proxmox VE downloads. */
export type DownloadedImage = Extract<ImagePlan, { url: string }>;

/** The image that Proxmox VE downloads for a machine; undefined if the machine comes from a template or an existing volume. */
export const downloadedImage = ({ source }: Pick<VmNodePlan, "source">): DownloadedImage | undefined =>
  "image" in source && "url" in source.image ? source.image : undefined;

/** @param clusterId the anchor's random id */
export const imageFile = (clusterId: string, { sha256, format }: DownloadedImage): string =>
  `proxmox-k3s-${clusterId}-${sha256.slice(0, 12)}.${format}`;

/** Volume id of an image; undefined if the machine comes from a template. */
export function imageVolume(clusterId: string, { source }: VmNodePlan): string | undefined {
  if (!("image" in source)) return undefined;
  const { image } = source;
  return "volume" in image ? image.volume : `${image.storage}:import/${imageFile(clusterId, image)}`;
}

/**
 * Volume id of the file with which cloud-init installs the guest agent (`scripts/host/snippet.sh`); undefined if cloud-init does
 * not install it.
 */
export function vendorDataVolume(clusterId: string, node: VmNodePlan, { proxmox }: ClusterPlan): string | undefined {
  return node.installAgent ? `${proxmox.snippets}:snippets/proxmox-k3s-${clusterId}.yaml` : undefined;
}
