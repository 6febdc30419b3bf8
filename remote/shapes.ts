/*
 * The shape of every argument of a task. The program, which renders the scripts, and the gate on the Proxmox host, which admits
 * them, use the same table, so that they always agree (docs/decisions/0011).
 */

/** A word without blanks that cannot be a path, an option or a pattern. */
const WORD = "[A-Za-z0-9](?:[A-Za-z0-9_-]{0,119})";
/** A VMID of Proxmox VE, 100 to 999999999. */
const VMID = "[1-9][0-9]{2,8}";
/** A host name: one RFC 1123 label. */
export const LABEL = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?";
export const IPV4 = "[0-9]{1,3}(?:[.][0-9]{1,3}){3}";
const STORAGE = "[A-Za-z][A-Za-z0-9_.-]*[A-Za-z0-9]";
const TEMPLATE = `${STORAGE}:vztmpl/[A-Za-z0-9_.+~-]+`;
/** A disk image on a storage, or only the place of an image that is downloaded. */
const IMAGE = `${STORAGE}:import(?:/[A-Za-z0-9_.+=-]+)?`;
/** Serial number of a disk. */
const SERIAL = "[a-z0-9](?:[a-z0-9-]{0,18}[a-z0-9])?";
const NUMBER = "(?:0|[1-9][0-9]{0,5})";
const YES_NO = "yes|no";
export const ID = "[0-9a-f]{16}";
/** Name part of a label's or a taint's key, and a label's value. */
const KUBE_NAME = "[A-Za-z0-9](?:[A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?";
const KUBE_KEY = `(?:[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?/)?${KUBE_NAME}`;
const PUBLIC_KEY = "[a-z0-9@.-]+ [A-Za-z0-9+/]+=*(?: [^\\x00-\\x1f\\x7f]*)?";
const FOLDER = "/[A-Za-z0-9_.+-]+(?:/[A-Za-z0-9_.+-]+)*";
/** It has no character with a meaning for a shell, and cannot be read as an option. */
const URL = "https?://[A-Za-z0-9][A-Za-z0-9.:-]*(?:/[A-Za-z0-9._~%+=,:-]*)*";
const NAMED = "[A-Za-z0-9_.-]+";
/** A file for nft that replaces only the program's own table: no line can start another command or include another file. */
const NFTABLES = [
  "table inet k3smesh\\ndelete table inet k3smesh\\ntable inet k3smesh \\{",
  '(?:\\n +(?:\\}|(?:set|chain) [a-z]+ \\{|(?!set|chain|include|define|redefine|undefine)[a-z][A-Za-z0-9_@.,:/ ={}"-]*))*',
  "\\n\\}",
].join("");

/** Zero or more lines of a shape. */
export const lines = (shape: string): string => `(?:(?:${shape})(?:\\n(?:${shape}))*)?`;

/**
 * The shape of every argument, as a regular expression that the whole value must match. JavaScript and Perl both read them,
 * so they use only syntax that has the same meaning in both.
 */
export const SHAPES = {
  ACTION: "create|update|delete|look",
  ADDRESS: IPV4,
  AFTER: "its reboot|the change of its K3s",
  ALLOW_CONTROL_PLANE_LOSS: YES_NO,
  ARCH: "amd64|arm64",
  AUTHORIZED_KEYS: lines(PUBLIC_KEY),
  BOUND: "[1-9][0-9]{0,5}",
  BRIDGE: "[A-Za-z][A-Za-z0-9_.-]{0,14}",
  CLUSTER_ID: ID,
  /** K3s' config.yaml; only for nodes. */
  CONFIG: "[^\\x00]*",
  /** Empty if a guest is changed, not created. */
  CREATION: `(?:${ID})?`,
  DEADLINE: NUMBER,
  DISK: NUMBER,
  /** Further disks of a virtual machine: serial, storage, GiB. */
  DISKS: lines(`${SERIAL} ${STORAGE} ${NUMBER}`),
  /** Empty if the machine has none. */
  DISKS_VMID: `(?:${VMID})?`,
  DRAIN_TIMEOUT: NUMBER,
  EFFECT: "reboot it|change its K3s",
  ETCD: YES_NO,
  EVICTION_TIMEOUT: NUMBER,
  FILES: lines("k3s|k3s-arm64|k3s-airgap-images-(?:amd64|arm64)[.]tar"),
  /** The firmware that a template must have been made for. */
  FIRMWARE: lines(`${VMID} (?:seabios|ovmf)`),
  FROM: FOLDER,
  /** Further disks of virtual machines: the guest that keeps them, storage, GiB. */
  FURTHER: lines(`${VMID} ${STORAGE} ${NUMBER}`),
  IMAGES: YES_NO,
  ISCSI: YES_NO,
  IMAGES_SHA256: "(?:[0-9a-f]{64}|-)?",
  LABELS: lines(`${KUBE_KEY}=(?:${KUBE_NAME})?`),
  LOCK: WORD,
  /** Disks that Longhorn gets: serial, GiB. */
  LONGHORN_DISKS: lines(`${SERIAL} ${NUMBER}`),
  /** A machine's NixOS module; only for nodes. */
  MODULE: "[^\\x00]*",
  MODULE_SHA256: "[0-9a-f]{64}",
  /** Empty if the cluster has no mark yet. */
  MARK: `(?:proxmox-k3s ${NAMED}/${NAMED}/${NAMED} ${ID})?`,
  /** The nodes of the plan: for their firewall, and to ask all of them. */
  MESH: lines(`${VMID} ${LABEL} ${IPV4} (?:server|agent)`),
  MODULES: "(?:[a-z0-9_]{1,32}(?: [a-z0-9_]{1,32})*)?",
  NAME: LABEL,
  NETWORK: "keep|change",
  /** The networks of pods and services. */
  NETWORKS: lines(`${IPV4}/[0-9]{1,2}`),
  /** The template of a virtual machine is a VMID. */
  NODES: lines(`${VMID} ${LABEL} ${IPV4} ${STORAGE} ${NUMBER} (?:${TEMPLATE}|${IMAGE}|${VMID})`),
  NONCE: ID,
  ON_BLOCKED: "stop|force",
  ON_DISKS: "keep|delete",
  ON_LOCAL_DATA: "stop|delete",
  OVERLAYFS: lines(STORAGE),
  /** Names of Debian packages. */
  PACKAGES: lines("[a-z0-9][a-z0-9+.-]{1,99}"),
  PHASE: "before|after",
  POOL: "[A-Za-z][A-Za-z0-9_.-]*(?:/[A-Za-z][A-Za-z0-9_.-]*){0,2}",
  PVE_NODE: "[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?",
  /** K3s' registries.yaml without a secret; only for nodes. */
  REGISTRIES: "[^\\x00]*",
  /** How often `up` has repaired the result of the step. A new number runs the step again. */
  REPAIRS: NUMBER,
  ROLE: "server|agent",
  RULES: NFTABLES,
  /** How many nodes may be away at a time, and the names of all nodes in the plan; empty outside of an `up`. */
  RUN: `(?:${NUMBER}(?:\\n${LABEL})+)?`,
  SERVERS: lines(`${VMID} ${LABEL}`),
  SHA256: "[0-9a-f]{64}",
  /** The storage for snippets; empty if no machine needs one. */
  SNIPPETS: `(?:${STORAGE})?`,
  SOURCE: URL,
  START_TIMEOUT: NUMBER,
  STEP: WORD,
  STORAGE,
  TAINTS: lines(`${KUBE_KEY}(?:=(?:${KUBE_NAME})?)?:(?:NoSchedule|PreferNoSchedule|NoExecute)`),
  /** Empty if the guest is not a clone of a template. */
  TEMPLATE: `(?:${VMID})?`,
  TIMEOUT: NUMBER,
  TO: FOLDER,
  URL,
  URN: "urn:pulumi:[A-Za-z0-9_.-]+::[A-Za-z0-9_.-]+::[A-Za-z0-9_.:$/-]+::[A-Za-z0-9_.-]+",
  VERSION: "v[0-9]+[.][0-9]+[.][0-9]+[+]k3s[0-9]+",
  VMID,
  WAIT: NUMBER,
} as const satisfies Readonly<Record<string, string>>;

export type ArgumentName = keyof typeof SHAPES;
