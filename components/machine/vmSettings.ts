import type * as proxmoxve from "@muhlba91/pulumi-proxmoxve";

import { VM_TIMEOUTS } from "../../plan/machineTimeouts";
import type { ClusterPlan, VmNodePlan } from "../../plan/model";
import type { BootFiles } from "./bootFiles";
import { dns, type FormerGuest, NO_DEVICES, startup, units } from "./settings";

/** Interface of the root disk, in the template and in its clones. */
const ROOT_DISK = "scsi0";

/** A linked clone is on its template's storage. */
const isLinked = ({ source }: VmNodePlan): boolean => "template" in source && source.clone === "linked";

function cloneOf(node: VmNodePlan): Pick<proxmoxve.VmLegacyArgs, "clone"> {
  if (!("template" in node.source)) return {};
  const isFull = !isLinked(node);
  return { clone: { vmId: node.source.template, full: isFull, ...(isFull ? { datastoreId: node.storage } : {}) } };
}
/** Proxmox VE's names of the chipsets. */
const MACHINE_TYPES = { i440fx: "pc", q35: "q35" } as const;

/** The machine's settings for Proxmox VE, without the mark; plain values that every preview knows. */
export function vmSettings(
  node: VmNodePlan,
  plan: ClusterPlan,
  { further = NO_DEVICES, mac }: FormerGuest = {},
  files: Partial<BootFiles> = {},
): proxmoxve.VmLegacyArgs {
  const { network, tag } = plan;
  return {
    nodeName: node.proxmoxNode,
    vmId: node.vmId,
    name: node.name,
    poolId: plan.proxmox.resourcePool,
    tags: [tag],
    ...cloneOf(node),
    // The program asks the guest agent itself, with its own time limit and messages. The client would wait a quarter of an hour.
    agent: { enabled: true, waitForIp: { disabled: true } },
    cpu: { cores: node.cores, type: node.cpuType, ...units(node) },
    ...(node.bios === undefined ? {} : { bios: node.bios }),
    // UEFI keeps its variables on a separate disk. A clone has the disk of its template.
    ...(node.bios === "ovmf" && "image" in node.source ? { efiDisk: { datastoreId: node.storage, type: "4m" } } : {}),
    ...(node.machine === undefined ? {} : { machine: MACHINE_TYPES[node.machine] }),
    memory: { dedicated: node.memoryMiB, floating: 0 },
    scsiHardware: "virtio-scsi-single",
    disks: [
      {
        ...{ interface: ROOT_DISK, size: node.diskGiB, discard: "on", iothread: true },
        datastoreId: isLinked(node) ? "" : node.storage,
        ...(files.image === undefined ? {} : { importFrom: files.image }),
      },
    ],
    // Otherwise the client gives the machine the host's own CD drive, which needs one more privilege.
    cdrom: { fileId: "none" },
    initialization: {
      datastoreId: node.storage,
      interface: "ide2",
      // Packages are upgraded when a person decides it, not while a node is created.
      upgrade: false,
      dns: dns(network),
      ipConfigs: [
        { ipv4: { address: `${node.address}/${node.prefix}`, gateway: network.gateway } },
        ...further.ipConfigs,
      ],
      userAccount: { username: "root", keys: [...plan.ssh.authorizedKeys] },
      ...(files.vendorData === undefined ? {} : { vendorDataFileId: files.vendorData }),
    },
    networkDevices: [
      {
        bridge: network.bridge,
        model: "virtio",
        macAddress: node.mac ?? mac ?? node.ownMac,
        ...(network.vlan ? { vlanId: network.vlan } : {}),
      },
      ...(further.networkInterfaces as proxmoxve.types.input.VmLegacyNetworkDevice[]),
    ],
    operatingSystem: { type: "l26" },
    serialDevices: [{ device: "socket" }],
    onBoot: node.startOnBoot,
    ...(node.startup === undefined ? {} : { startup: startup(node.startup) }),
    started: true,
    ...VM_TIMEOUTS,
  };
}
