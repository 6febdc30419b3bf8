import { type ClusterPlan, type ImagePlan, installsAgent, type NodePlan } from "../model";
import { SNAPSHOTTERS_FOR_ZFS } from "../snapshotters";
import { k3sOptions } from "./k3sConfig";

/**
 * The arguments of the checks on the Proxmox host (`scripts/host/preflight.sh`): the host's node, bridge and pool, and what each
 * machine needs there. They have nothing else, so the checks run again only if one of these values changes.
 */
export function preflightArgs(plan: ClusterPlan): Readonly<Record<string, string>> {
  const onOverlayfs = plan.nodes.filter((node) => needsOverlayfs(node, plan)).map(({ storage }) => storage);
  return {
    PVE_NODE: plan.proxmox.node,
    BRIDGE: plan.network.bridge,
    POOL: plan.proxmox.resourcePool,
    NODES: plan.nodes
      .map((node) => [node.vmId, node.name, node.address, node.storage, node.diskGiB, sourceOf(node)].join(" "))
      .join("\n"),
    SNIPPETS: plan.nodes.some(installsAgent) ? plan.proxmox.snippets : "",
    FURTHER: plan.nodes
      .flatMap((node) =>
        node.kind === "vm"
          ? node.disks.map(({ storage, sizeGiB }) => [node.disksVmId, storage, sizeGiB].join(" "))
          : [],
      )
      .join("\n"),
    FIRMWARE: [
      ...new Set(
        plan.nodes.flatMap((node) =>
          node.kind === "vm" && "template" in node.source && node.bios !== undefined
            ? [`${node.source.template} ${node.bios}`]
            : [],
        ),
      ),
    ].join("\n"),
    MODULES: modules(plan).join(" "),
    OVERLAYFS: [...new Set(onOverlayfs)].sort().join("\n"),
  };
}

/** What the guest is created from: a container's template, a VMID, an image, or the place of an image that is downloaded. */
function sourceOf(node: NodePlan): string | number {
  if (node.kind === "lxc") return node.template;
  return "image" in node.source ? imageSource(node.source.image) : node.source.template;
}

const imageSource = (image: ImagePlan): string => ("volume" in image ? image.volume : `${image.storage}:import`);

/** Only for containers: a virtual machine has its own file system. */
const needsOverlayfs = (node: NodePlan, plan: ClusterPlan): boolean =>
  node.kind === "lxc" && !SNAPSHOTTERS_FOR_ZFS.includes(String(k3sOptions(node, plan)["snapshotter"]));

/** The kernel module of each flannel backend that has one. K3s' default is vxlan. */
const BACKENDS: Readonly<Record<string, string>> = { vxlan: "vxlan", "wireguard-native": "wireguard" };

/** Kernel modules that K3s' options and the firewall need. A container cannot load them itself. */
function modules(plan: ClusterPlan): string[] {
  const backend = BACKENDS[String(plan.k3s.extraServerConfig["flannel-backend"] ?? "vxlan")];
  const proxyArgs = plan.nodes.flatMap((node) => [k3sOptions(node, plan)["kube-proxy-arg"] ?? []].flat());
  const isIpvs = proxyArgs.some((arg) => /^(?:--)?proxy-mode=ipvs$/.test(String(arg)));
  const filters = plan.firewall === undefined ? [] : ["nf_tables"];
  return [...(backend === undefined ? [] : [backend]), ...(isIpvs ? ["ip_vs"] : []), ...filters];
}
