import { z } from "zod";
import { disk, hostname, integer, ipv4, looseText, mac, memory, text } from "../fields";
import { furtherDisks, KEEPER } from "./disks";
import { protect, proxmoxNode } from "./placement";

/** Keys that a pool sets for all of its nodes and that a single node can also set, and the nodes of a pool. */

/** Proxmox VE's range (`pve-vmid`). */
export const VMIDS = { least: 100, most: 999_999_999 } as const;
/** The K3s agent does not run with less memory. */
const LEAST_MEMORY_MIB = 512;

export const REBUILT = { change: "rebuild", changeNote: "a VMID that another node still has is refused" } as const;
export const RENAMED = {
  change: "refused",
  changeNote:
    "a new name means a new node; to rename, also set new VMIDs and addresses: then new nodes join and the old ones leave",
} as const;
export const READDRESSED = {
  change: "reboot",
  changeNote: "a server with etcd and a machine with NixOS are rebuilt",
} as const;
export const LABELLED = {
  change: "k3sRestart",
  changeNote: "labels that somebody else has set do not change",
} as const;

export const labels = z.record(z.string().meta({ placeholder: "<label>" }), looseText);

/** For a new number of cores, the Proxmox client shuts a virtual machine down and starts it again. */
export const CORES = { change: "live", changeNote: "a virtual machine reboots" } as const;
export const cores = integer(1, 8192, { example: 4, unit: "processor threads" }).meta({
  description: "Processor cores of a node.",
  ...CORES,
  independent: true,
});

/** Proxmox VE's range on hosts with cgroup v2. */
export const cpuUnits = integer(1, 10_000, { example: 200 }).meta({
  description:
    "Weight of a guest when the Proxmox host's processors are all in use: one with 200 gets twice the time of one with 100, Proxmox VE's default.",
  otherwise: "as it is on the guest",
  ...CORES,
  independent: true,
});

export const nodeMemory = memory(LEAST_MEMORY_MIB).meta({
  description: "Memory of a node.",
  change: "reboot",
  independent: true,
});

export const nodeDisk = disk.meta({
  description: "Root disk of a node.",
  change: "live",
  changeNote: "it grows in place; a smaller one is refused",
  independent: true,
});

export const place = proxmoxNode.meta({
  description: "The Proxmox VE node that runs the guest.",
  otherwise: "`proxmox.node`",
  change: "refused",
  changeNote: "it must be `proxmox.node` as long as guests run on one Proxmox node",
});

/** Values of a single node. They take precedence over those of its pool. */
const nodeSchema = z
  .strictObject({
    hostname: hostname.meta({ description: "The node's name.", otherwise: "the pool's", ...RENAMED }).optional(),
    vmId: integer(VMIDS.least, VMIDS.most, { hint: "Proxmox VE reserves the numbers below 100" })
      .meta({ description: "The node's VMID.", example: 110, otherwise: "the pool's", ...REBUILT })
      .optional(),
    address: ipv4
      .meta({ description: "The node's address.", example: "192.168.2.30", otherwise: "the pool's", ...READDRESSED })
      .optional(),
    mac: mac
      .meta({
        description: "MAC address of its network interface.",
        otherwise: "Proxmox VE assigns one; a virtual machine gets a stable one from the program",
        change: "reboot",
        changeNote: "a virtual machine is rebuilt",
      })
      .optional(),
    proxmoxNode: place.meta({ otherwise: "the pool's" }).optional(),
    cores: cores.meta({ otherwise: "the pool's" }).optional(),
    memory: nodeMemory.meta({ otherwise: "the pool's" }).optional(),
    disk: nodeDisk.meta({ otherwise: "the pool's" }).optional(),
    labels: labels
      .meta({ description: "Labels in addition to the pool's.", example: { tier: "web" }, ...LABELLED })
      .default({}),
    disks: furtherDisks.meta({ otherwise: "the pool's (`kind: vm`)" }).optional(),
    disksVmId: integer(VMIDS.least, VMIDS.most, { hint: "Proxmox VE reserves the numbers below 100" })
      .meta({
        description: "VMID of the guest that keeps the node's further disks.",
        example: 320,
        otherwise: "the pool's",
        ...KEEPER,
      })
      .optional(),
    protect: protect.meta({ otherwise: "the pool's" }).optional(),
  })
  .meta({ description: "Values of a single node, instead of those of its pool." });

const index = text("the index of a node, from 1", /^[1-9]\d{0,3}$/, {
  hint: "nodes is a map by index: nodes: { 1: { hostname: k3s-master } }",
  example: "1",
}).meta({ placeholder: "<index>" });

export const nodes = z.record(index, nodeSchema).default({});
