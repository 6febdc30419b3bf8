import { z } from "zod";
import {
  boolean,
  cidr,
  disk,
  domain,
  duration,
  field,
  host,
  hiddenText,
  hostname,
  integer,
  ipv4,
  isIPv4,
  looseText,
  mac,
  memory,
  oneOf,
  sha256,
  text,
} from "./fields";
import { extraConfig } from "./k3sOptions";
import { hostKey, publicKey } from "./sshKeys";
import { OS_TYPES } from "./template";

/**
 * What a person may write under `proxmox-k3s:cluster`: names, types, bounds and defaults of single values. Rules between values
 * are in `validate.ts`.
 */

const bridge = text("the name of a Linux bridge", "for example vmbr0", /^[a-zA-Z][\w.-]{0,14}$/);

/** Proxmox VE's `pve-storage-id`. */
const storage = text("the name of a Proxmox VE storage", "for example local-lvm", /^[a-z][a-z0-9\-_.]*[a-z0-9]$/i);

/** Proxmox VE's `pve-poolid`: up to three names. */
const resourcePool = text(
  "the name of a Proxmox VE resource pool",
  "for example homelab; `pveum pool list` prints them",
  /^[a-z][\w.-]*(?:\/[a-z][\w.-]*){0,2}$/i,
);

const template = text(
  "the volume id of a container template",
  "for example local:vztmpl/ubuntu-22.04-standard_22.04-1_amd64.tar.zst; `pveam list local` prints them",
  /^[a-z][a-z0-9\-_.]*[a-z0-9]:vztmpl\/[^/\s]+\.tar\.(?:gz|xz|zst)$/i,
);

const osType = oneOf(OS_TYPES);

const proxmoxNode = text(
  "the name of a Proxmox VE node",
  "the host's short name, for example pve",
  /^[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?$/,
);

/** Proxmox VE's range (`pve-vmid`). */
export const VMIDS = { least: 100, most: 999_999_999 } as const;
const vmId = integer(VMIDS.least, VMIDS.most, "Proxmox VE keeps the numbers below 100 for itself");

const vmIds = field<{ from: number } | number[]>(
  { must: "{ from: <VMID> } or a list of VMIDs", hint: "for example { from: 102 } or [102, 104, 105]" },
  isSeries((value) => Number.isInteger(value)),
);

const addresses = field<{ from: string } | string[]>(
  {
    must: "{ from: <IPv4 address> } or a list of IPv4 addresses",
    hint: "for example { from: 192.168.2.21 } or [192.168.2.21, 192.168.2.30]",
  },
  isSeries(isIPv4),
);

function isSeries(accepts: (value: unknown) => boolean) {
  return (value: unknown): boolean => {
    if (Array.isArray(value)) return value.every(accepts);
    return (
      typeof value === "object" &&
      value !== null &&
      Object.keys(value).join() === "from" &&
      accepts((value as { from: unknown }).from)
    );
  };
}

const labels = z.record(
  z.string(),
  looseText("a text, a whole number or true or false", 'quote it, for example "1.10"', /^/),
);

const cores = integer(1, 8192);
/** Below this much a node cannot hold the K3s agent. */
const LEAST_MEMORY_MIB = 512;

const nodeSchema = z.strictObject({
  hostname: hostname.optional(),
  vmId: vmId.optional(),
  address: ipv4.optional(),
  mac: mac.optional(),
  /** Proxmox VE node. */
  proxmoxNode: proxmoxNode.optional(),
  cores: cores.optional(),
  memory: memory(LEAST_MEMORY_MIB).optional(),
  disk: disk.optional(),
  /** In addition to the pool's. */
  labels: labels.default({}),
  protect: boolean.optional(),
});

const index = text(
  "the index of a node, from 1",
  "nodes is a map by index: nodes: { 1: { hostname: k3s-master } }",
  /^[1-9]\d{0,3}$/,
);

/** The largest pool: a pod network of /16 holds 256 nodes, K3s's default. */
const MOST_NODES = 250;

export const poolSchema = z.strictObject({
  role: oneOf(["server", "agent"]),
  kind: oneOf(["lxc", "vm"]),
  count: integer(0, MOST_NODES),
  /** Indices that are no longer used: the node is gone and its number is not given again. */
  retired: z.array(integer(1, 9999, "the index of a node, from 1")).default([]),
  /** `{0}` stands for the index, `{00}` for two digits of it; `<cluster>-<pool>-{0}` by default. */
  hostname: text(
    "a hostname with one {0} for the index",
    "{00} pads it to two digits: k3s-worker-{00}; a single node's name goes to nodes.<index>.hostname",
    /^[^{}]*\{0{1,4}\}[^{}]*$/,
  ).optional(),
  vmIds: vmIds.optional(),
  addresses: addresses.optional(),
  proxmoxNode: proxmoxNode.optional(),
  cores,
  memory: memory(LEAST_MEMORY_MIB),
  swap: memory(0).default(0),
  disk,
  storage: storage.optional(),
  template: template.optional(),
  osType: osType.optional(),
  labels: labels.default({}),
  /** In kubectl's form, `key=value:NoSchedule`. */
  taints: z
    .array(
      field<string>(
        { must: "a taint as text", hint: 'for example "dedicated=storage:NoSchedule"' },
        (value) => typeof value === "string",
      ),
    )
    .default([]),
  startOnBoot: boolean.default(true),
  protect: boolean.default(false),
  nodes: z.record(index, nodeSchema).default({}),
});

const networkSchema = z.strictObject({
  cidr,
  gateway: ipv4,
  bridge,
  nameservers: z.array(ipv4),
  searchDomain: domain.optional(),
  vlan: integer(1, 4094).optional(),
  podCidr: cidr.default("10.42.0.0/16"),
  serviceCidr: cidr.default("10.43.0.0/16"),
});

const proxmoxSchema = z.strictObject({
  node: proxmoxNode,
  /** Where the host's SSH server answers. */
  host,
  hostKey,
  sshPort: integer(1, 65535).default(22),
  sshUser: text("the name of a Unix user", undefined, /^[a-z_][a-z0-9_-]{0,31}$/).default("root"),
  /** The API's URL; `https://<host>:8006/` by default. */
  endpoint: hiddenText(
    "an https URL without credentials or a path",
    "for example https://192.168.2.167:8006/",
    /^https:\/\/[^/\s@]+\/?$/,
  ).optional(),
  insecure: boolean.default(false),
  architecture: oneOf(["amd64", "arm64"]).default("amd64"),
  /** Where Proxmox VE keeps the guests, and the API token's rights to change them; the cluster's name by default. */
  resourcePool: resourcePool.optional(),
  /** Defaults for all pools. */
  storage: storage.optional(),
  template: template.optional(),
  osType: osType.optional(),
});

/** Where the K3s project publishes its releases. */
export const K3S_RELEASES = "https://github.com/k3s-io/k3s/releases/download";

const sums = z.strictObject({ amd64: sha256.optional(), arm64: sha256.optional() });

const artifactsSchema = z.strictObject({
  /** Files are at `<baseUrl>/<version>/<file>`. */
  baseUrl: hiddenText(
    "an http or https URL without credentials or a query",
    "the folder that holds a folder for each version",
    /^https?:\/\/[^\s?#@]+$/,
  )
    .transform((url) => url.replace(/\/+$/, ""))
    .default(K3S_RELEASES),
  /**
   * Path of the binary on the Proxmox host, under its name in the release: `k3s`, or `k3s-arm64`. Nothing is downloaded then; the
   * image archive lies beside it.
   */
  file: text(
    "the absolute path of a file k3s or k3s-arm64 on the Proxmox host",
    "for example /var/lib/vz/k3s/v1.36.3+k3s1/k3s",
    /^\/(?:[^\s/]+\/)*k3s(?:-arm64)?$/,
  ).optional(),
  sha256: sums.default({}),
  airgapImages: boolean.default(false),
  imagesSha256: sums.default({}),
  /** Refuse sums that neither the config nor the repo vouches for. */
  requirePinned: boolean.default(false),
});

const k3sSchema = z.strictObject({
  artifacts: artifactsSchema.prefault({}),
  /**
   * Where servers keep the cluster's objects: `etcd` is what several servers share, and has snapshots; by default that where
   * there are several, else K3s' own default `sqlite`. A server changes from sqlite to etcd by itself, and never back.
   */
  datastore: oneOf(["sqlite", "etcd"]).optional(),
  disable: z
    .array(oneOf(["coredns", "servicelb", "traefik", "local-storage", "metrics-server", "runtimes"]))
    .default([]),
  kubeconfigMode: looseText(
    '"600", "640" or "644", in quotes',
    "without quotes YAML reads 0644 as an octal number",
    /^(?:600|640|644)$/,
  ).default("600"),
  tlsSans: z.array(host).default([]),
  serverConfig: extraConfig.default({}),
  agentConfig: extraConfig.default({}),
  /** By default on where there is a pool of agents. */
  controlPlaneTaint: boolean.optional(),
  startTimeout: duration.default(600),
});

const removalSchema = z.strictObject({
  drainTimeout: duration.default(600),
  onBlocked: oneOf(["stop", "force"]).default("stop"),
  /** Let the only server go, and with it everything that the cluster knows. */
  allowControlPlaneLoss: boolean.default(false),
});

const rolloutSchema = z.strictObject({
  /** How many nodes at a time a change may disturb: a reboot of the guest, a change of K3s. */
  concurrency: integer(1, 100).default(1),
});

const sshSchema = z.strictObject({
  /** Public keys that may log in to the nodes as root. */
  authorizedKeys: z.array(publicKey),
});

const NAME = /^[a-z](?:[a-z0-9-]{0,28}[a-z0-9])?$/;
const nameRule = "a name of at most 30 small letters, digits and inner hyphens that starts with a letter";
export const poolName = text(nameRule, "for example worker", NAME);

/** The sections of `cluster` other than `pools`, each parsed by itself so that a slip in one hides no problem of another. */
export const sectionSchemas = {
  name: text(nameRule, "for example homelab", NAME),
  version: text("a K3s release in the form vX.Y.Z+k3sN", "for example v1.36.3+k3s1", /^v\d+\.\d+\.\d+\+k3s\d+$/),
  network: networkSchema,
  proxmox: proxmoxSchema,
  ssh: sshSchema,
  k3s: k3sSchema.prefault({}),
  removal: removalSchema.prefault({}),
  rollout: rolloutSchema.prefault({}),
};

export type PoolSettings = z.output<typeof poolSchema>;
export type NodeSettings = z.output<typeof nodeSchema>;
export type NetworkSettings = z.output<typeof networkSchema>;
export type ProxmoxSettings = z.output<typeof proxmoxSchema>;
export type K3sSettings = z.output<typeof k3sSchema>;

/** The whole config with its defaults: memory in MiB, disks in GiB, durations in seconds. */
export type Settings = {
  readonly [Section in keyof typeof sectionSchemas]: z.output<(typeof sectionSchemas)[Section]>;
} & {
  readonly pools: Readonly<Record<string, PoolSettings>>;
};

/** What is left of a config with problems: sections and pools whose shape is right. */
export type Draft = Partial<Omit<Settings, "pools">> & {
  readonly pools: Readonly<Record<string, PoolSettings>>;
  /** No pool was left out, so that nodes may be counted. */
  readonly allPools: boolean;
};

/**
 * Fields that no rule of `validate.ts` reads, with a value that is right. It stands in for a wrong one, so that one slip does not
 * hide what else is wrong with the section.
 */
export const STAND_INS: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  network: { bridge: "vmbr0", vlan: undefined, searchDomain: undefined },
  proxmox: {
    hostKey: "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    sshPort: undefined,
    sshUser: undefined,
    endpoint: undefined,
    insecure: undefined,
    resourcePool: undefined,
  },
  k3s: {
    datastore: undefined,
    disable: undefined,
    kubeconfigMode: undefined,
    tlsSans: undefined,
    controlPlaneTaint: undefined,
    startTimeout: undefined,
  },
  pools: { cores: 1, memory: "1GB", swap: undefined, disk: "8GB", startOnBoot: undefined, protect: undefined },
};
