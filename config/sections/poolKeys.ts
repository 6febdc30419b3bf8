import { z } from "zod";
import { alternatives, boolean, duration, integer, ipv4, oneOf, text } from "../fields";
import {
  cores,
  cpuUnits,
  LABELLED,
  labels,
  nodeDisk,
  nodeMemory,
  place,
  READDRESSED,
  REBUILT,
  RENAMED,
} from "./nodeKeys";
import { protect, storage } from "./placement";

/** The maximum size of a pool: K3s' default pod network, a /16, has room for 256 nodes. */
const MOST_NODES = 250;
export const KINDS = ["lxc", "vm"] as const;
export const kindWords = {
  must: alternatives(KINDS),
  description: "The kind of guest in Proxmox VE: containers (`lxc`) or virtual machines (`vm`).",
  change: "refused",
} as const;

export const vmIds = z.union([z.strictObject({ from: z.int() }), z.array(z.int())]).meta({
  must: "{ from: <VMID> } or a list of VMIDs",
  hint: "for example { from: 102 } or [102, 104, 105]",
  example: { from: 102 },
});

const addresses = z.union([z.strictObject({ from: ipv4 }), z.array(ipv4)]).meta({
  must: "{ from: <IPv4 address> } or a list of IPv4 addresses",
  hint: "for example { from: 192.168.2.21 } or [192.168.2.21, 192.168.2.30], without a prefix",
  example: { from: "192.168.2.21" },
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

const packageName = text("the name of a Debian package", /^[a-z0-9][a-z0-9+.-]{1,99}$/, {
  hint: "without a version; for example open-iscsi",
  example: "open-iscsi",
});

/** Keys of pools of every kind. */
export const poolBase = {
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
        "Debian packages that apt installs on the nodes before K3s, with their dependencies. `open-iscsi` needs `kind: vm`; its service is also enabled, because Longhorn needs it.",
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
