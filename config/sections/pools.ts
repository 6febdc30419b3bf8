import { z } from "zod";
import {
  alternatives,
  boolean,
  disk,
  duration,
  hostname,
  integer,
  ipv4,
  looseText,
  mac,
  memory,
  oneOf,
  text,
} from "../fields";
import { image, installAgent } from "./images";
import { osType, protect, proxmoxNode, storage, template } from "./placement";

/** Proxmox VE's range (`pve-vmid`). */
export const VMIDS = { least: 100, most: 999_999_999 } as const;
/** The maximum size of a pool: K3s' default pod network, a /16, has room for 256 nodes. */
const MOST_NODES = 250;
/** The K3s agent does not run with less memory. */
const LEAST_MEMORY_MIB = 512;

export const KINDS = ["lxc", "vm"] as const;
const kindWords = {
  must: alternatives(KINDS),
  description: "The kind of guest in Proxmox VE: containers (`lxc`) or virtual machines (`vm`).",
  change: "refused",
} as const;

const REBUILT = { change: "rebuild", changeNote: "a VMID that another node still has is refused" } as const;
const RENAMED = {
  change: "refused",
  changeNote:
    "a new name means a new node; to rename, also set new VMIDs and addresses: then new nodes join and the old ones leave",
} as const;
const READDRESSED = {
  change: "reboot",
  changeNote: "a server with etcd and a machine with NixOS are rebuilt",
} as const;
const LABELLED = { change: "k3sRestart", changeNote: "labels that somebody else has set do not change" } as const;

const vmIds = z.union([z.strictObject({ from: z.int() }), z.array(z.int())]).meta({
  must: "{ from: <VMID> } or a list of VMIDs",
  hint: "for example { from: 102 } or [102, 104, 105]",
  example: { from: 102 },
});

const addresses = z.union([z.strictObject({ from: ipv4 }), z.array(ipv4)]).meta({
  must: "{ from: <IPv4 address> } or a list of IPv4 addresses",
  hint: "for example { from: 192.168.2.21 } or [192.168.2.21, 192.168.2.30], without a prefix",
  example: { from: "192.168.2.21" },
});

const labels = z.record(z.string().meta({ placeholder: "<label>" }), looseText);

/** The Proxmox client shuts a virtual machine down for new cores, and starts it again. */
const CORES = { change: "live", changeNote: "a virtual machine reboots" } as const;
const cores = integer(1, 8192, { example: 4, unit: "processor threads" }).meta({
  description: "Processor cores of a node.",
  ...CORES,
  independent: true,
});

/** Proxmox VE's range on hosts with cgroup v2. */
const cpuUnits = integer(1, 10_000, { example: 200 }).meta({
  description:
    "Weight of a guest when the Proxmox host's processors are all in use: one with 200 gets twice the time of one with 100, Proxmox VE's default.",
  otherwise: "as it is on the guest",
  ...CORES,
  independent: true,
});

const nodeMemory = memory(LEAST_MEMORY_MIB).meta({
  description: "Memory of a node.",
  change: "reboot",
  independent: true,
});

const nodeDisk = disk.meta({
  description: "Root disk of a node.",
  change: "live",
  changeNote: "it grows in place; a smaller one is refused",
  independent: true,
});

/** A disk of a virtual machine beside its root disk. */
const furtherDisk = z.strictObject({
  serial: text("at most 20 lowercase letters, digits and inner hyphens", /^[a-z0-9](?:[a-z0-9-]{0,18}[a-z0-9])?$/, {
    hint: "it names the disk in the machine: /dev/disk/by-id/scsi-0QEMU_QEMU_HARDDISK_<serial>; for example data",
    example: "data",
  }),
  size: disk,
  storage: storage.optional(),
});
const furtherDisks = z.array(furtherDisk).meta({
  description:
    "Disks beside the root disk: `serial`, `size` and, if it is not the pool's, `storage`. They outlive the machine: a rebuild attaches them again (`removal.onDisks` says what happens when the node leaves). The machine has each as `/dev/disk/by-id/scsi-0QEMU_QEMU_HARDDISK_<serial>`.",
  example: [{ serial: "data", size: "100GB" }],
  change: "live",
  changeNote:
    "a disk is added and grows in place; taking one away or a smaller one is refused, and a storage counts when the disk is made",
});
const KEEPER = {
  change: "refused",
  changeNote: "the disks cannot move to another guest",
} as const;

const place = proxmoxNode.meta({
  description: "The Proxmox VE node that runs the guest.",
  otherwise: "`proxmox.node`",
  change: "refused",
  changeNote: "it must be `proxmox.node` as long as guests run on one Proxmox node",
});

/** Proxmox VE's `startup`. */
const startup = z
  .strictObject({
    order: integer(0, 9999)
      .meta({
        description:
          "Position in the start order of the Proxmox host's guests: lower numbers start first and shut down last.",
        example: 1,
        otherwise: "after all guests with a position",
        change: "live",
        independent: true,
      })
      .optional(),
    upDelay: duration
      .meta({
        description: "How long the host waits after the guest's start, before it starts the next one.",
        example: "30s",
        otherwise: "no wait",
        change: "live",
        independent: true,
      })
      .optional(),
    downDelay: duration
      .meta({
        description: "How long the host waits for the guest's shutdown, before it goes on.",
        example: "2m",
        otherwise: "Proxmox VE's default, 60 s for containers",
        change: "live",
        independent: true,
      })
      .optional(),
  })
  .meta({ description: "When the Proxmox host starts the guests, and how long it waits for them." });

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
        otherwise: "Proxmox VE assigns one; a virtual machine has a stable one of its own",
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

const packageName = text("the name of a Debian package", /^[a-z0-9][a-z0-9+.-]{1,99}$/, {
  hint: "without a version; for example open-iscsi",
  example: "open-iscsi",
});

/** Keys of pools of every kind. */
const poolBase = {
  role: oneOf(["server", "agent"]).meta({
    hint: "a worker is an agent, a master is a server",
    description: "The role of the nodes in the cluster: servers run the control plane, agents run the pods.",
    example: "agent",
    change: "refused",
    changeNote: "create a new pool instead",
  }),
  count: integer(0, MOST_NODES, { unit: "nodes" }).meta({
    description: "How many nodes the pool has. All pools together must have 1, 3 or 5 servers.",
    example: 2,
    change: "members",
  }),
  retired: z
    .array(integer(1, 9999, { hint: "the index of a node, from 1" }))
    .meta({
      description: "Indices that are no longer used. Their nodes are removed, and no new node gets such an index.",
      example: [2],
      change: "members",
    })
    .default([]),
  hostname: text("a hostname with one {0} for the index", /^[^{}]*\{0{1,4}\}[^{}]*$/, {
    hint: "{00} pads it to two digits: k3s-worker-{00}; set the name of a single node in nodes.<index>.hostname",
    example: "k3s-worker-{00}",
  })
    .meta({
      description: "The nodes' names. `{0}` stands for the index, `{00}` for the index with two digits.",
      otherwise: "`<cluster>-<pool>-{0}`",
      ...RENAMED,
    })
    .optional(),
  vmIds: vmIds
    .meta({
      description: "The nodes' VMIDs: a first one for index 1, or a list in which entry n is for index n.",
      otherwise: "each node's own",
      ...REBUILT,
    })
    .optional(),
  addresses: addresses
    .meta({
      description: "The nodes' addresses: a first one for index 1, or a list in which entry n is for index n.",
      otherwise: "each node's own",
      ...READDRESSED,
    })
    .optional(),
  proxmoxNode: place.optional(),
  cores,
  cpuUnits: cpuUnits.optional(),
  memory: nodeMemory,
  disk: nodeDisk,
  storage: storage.meta({ otherwise: "`proxmox.storage`" }).optional(),
  labels: labels
    .meta({
      description:
        "Labels of the Kubernetes nodes. `storage: longhorn` and `node.longhorn.io/create-default-disk` need `kind: vm`: Linux has no iSCSI in a container.",
      example: { tier: "web" },
      ...LABELLED,
    })
    .default({}),
  taints: z
    .array(
      z.string().meta({
        must: "a taint as text",
        hint: 'for example "dedicated=storage:NoSchedule"',
        example: "dedicated=storage:NoSchedule",
      }),
    )
    .meta({
      description: "Taints of the Kubernetes nodes, in kubectl's form.",
      example: ["dedicated=storage:NoSchedule"],
      change: "k3sRestart",
      changeNote: "taints that somebody else has set do not change",
    })
    .default([]),
  packages: z
    .array(packageName)
    .meta({
      description:
        "Debian packages that the nodes get by apt before K3s, each with what it needs. `open-iscsi` needs `kind: vm`; its service is enabled, as Longhorn wants it.",
      example: ["open-iscsi", "nfs-common"],
      change: "live",
      changeNote: "a package that is no longer in the list stays installed",
      independent: true,
    })
    .default([]),
  startOnBoot: boolean
    .meta({
      description: "Whether the guests start with the Proxmox host.",
      change: "live",
      independent: true,
    })
    .default(true),
  startup: startup.optional(),
  protect: protect.default(false),
};

const nodes = z.record(index, nodeSchema).default({});

/** A pool of containers. */
export const lxcPoolSchema = z
  .strictObject({
    kind: z.literal("lxc").meta({ ...kindWords, example: "lxc" }),
    ...poolBase,
    swap: memory(0)
      .meta({
        description: "Swap of a node, in addition to its memory.",
        example: "1GB",
        change: "reboot",
        independent: true,
      })
      .prefault("0GB"),
    template: template.meta({ otherwise: "`proxmox.template`" }).optional(),
    osType: osType.meta({ otherwise: "`proxmox.osType`, else the system in the template's name" }).optional(),
    nodes,
  })
  .meta({ description: "Keys of pools of containers (`kind: lxc`)." });

/** A pool of virtual machines. */
export const vmPoolSchema = z
  .strictObject({
    kind: z.literal("vm").meta({ ...kindWords, example: "vm" }),
    ...poolBase,
    template: integer(VMIDS.least, VMIDS.most, {
      hint: "the VMID of a virtual machine that is a template; `qm list` and `qm config VMID` show it",
      example: 9000,
    })
      .meta({
        description:
          "VMID of the template that the machines are clones of. It needs cloud-init and the QEMU guest agent, and its root disk is `scsi0`.",
        otherwise: "an `image`",
        change: "newNodes",
      })
      .optional(),
    image: image.optional(),
    os: oneOf(["nixos"])
      .meta({
        hint: "remove it for Debian, Ubuntu and the like",
        description:
          "Set `nixos` if the template or image has NixOS. The program then writes a NixOS module for each machine, and K3s comes from nixpkgs (docs/nixos.md).",
        otherwise: "a system like Debian or Ubuntu, whose files scripts can write",
        change: "refused",
        changeNote: "create a new pool instead",
      })
      .optional(),
    installAgent: installAgent.optional(),
    clone: oneOf(["full", "linked"])
      .meta({
        description:
          "Whether a machine has a full copy of the template's disk, or only the differences to it. A linked clone is made at once, stays on the template's storage, and needs the template as long as it exists.",
        otherwise: "`full`",
        change: "newNodes",
      })
      .optional(),
    cpuType: text("the name of a CPU type of Proxmox VE", /^[A-Za-z0-9][A-Za-z0-9._-]*$/, {
      hint: "for example x86-64-v2-AES or host",
      example: "host",
    })
      .meta({
        description:
          "CPU type of the machines. The default runs on all processors since about 2013, so machines can move between hosts. `host` is the fastest, but then a machine can move only between equal processors.",
        change: "reboot",
        independent: true,
      })
      .default("x86-64-v2-AES"),
    bios: oneOf(["seabios", "ovmf"])
      .meta({
        description:
          "Firmware of the machines: BIOS (`seabios`) or UEFI (`ovmf`). The template or image must have been made for it; for `ovmf` a template also needs an EFI disk (`efidisk0`).",
        otherwise: "the template's",
        change: "newNodes",
        independent: true,
      })
      .optional(),
    machine: oneOf(["i440fx", "q35"])
      .meta({
        description: "Chipset of the machines. `q35` has PCI Express, which a device that is passed through may need.",
        otherwise: "the template's",
        change: "newNodes",
        independent: true,
      })
      .optional(),
    disks: furtherDisks.default([]),
    disksVmIds: vmIds
      .meta({
        description:
          "VMIDs of the guests that keep the further disks, one for each node, in the form of `vmIds`. Such a guest never runs: Proxmox VE deletes with a machine all disks that it owns, and these disks belong to another guest.",
        example: { from: 320 },
        otherwise: "needed only with `disks`",
        ...KEEPER,
      })
      .optional(),
    nodes,
  })
  .meta({ description: "Keys of pools of virtual machines (`kind: vm`)." });

/** The schema of a pool by its `kind`. */
export const poolSchemas = { lxc: lxcPoolSchema, vm: vmPoolSchema } as const;

/** A pool of any kind, for the generated files. */
export const anyPoolSchema = z
  .discriminatedUnion("kind", [lxcPoolSchema, vmPoolSchema])
  .meta({ description: "A pool of equal nodes. Keys of pools of every kind:" });
