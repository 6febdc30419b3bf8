import { API_PORT } from "../plan/endpoint";
import { LXC_FEATURES, LXC_RAW_LINES } from "../plan/lxcProfile";
import { PAGE_STYLE } from "../plan/render/pageStyle";
import { SNAPSHOTTERS_FOR_ZFS } from "../plan/snapshotters";
import { type ArgumentName, ID, IPV4, LABEL, lines, SHAPES } from "./shapes";

/*
 * The tasks and what each takes. The program, which renders the scripts, and the gate on the Proxmox host, which admits them,
 * use the same table, as they do for the shapes of arguments.
 */

/** Arguments of every task. */
export const COMMON_ARGUMENTS = ["STEP", "ACTION", "LOCK", "BOUND"] as const satisfies readonly ArgumentName[];

interface AnyTask {
  /** Its text: shared parts and its own, as files of `scripts/` without extension, in order. */
  readonly parts: readonly string[];
  /** Its exact arguments, in addition to {@link COMMON_ARGUMENTS}. */
  readonly args: readonly ArgumentName[];
  /** Files that it finds in `$WORK`: files of `scripts/` with extension, or a constant text. */
  readonly files?: Readonly<Record<string, readonly string[] | { readonly text: string }>>;
  /** Shape of its answer. @default at most one line, for people; the program does not read it */
  readonly answer?: string;
  /** The words that it can answer, if the program acts on the answer. */
  readonly words?: readonly string[];
}

/** A task of the Proxmox host. */
interface HostTask extends AnyTask {
  readonly runsOn: "host";
  /** It also runs at deletions. The state keeps the deletion's text until the next `up`. */
  readonly deletes?: true;
}

/**
 * A task of a node itself. It carries secrets or writes files, so the gate does not run it on the host. It has no deletion: a
 * deletion would need the node, and a node that is down must not block a run.
 */
interface NodeTask extends AnyTask {
  readonly runsOn: "node";
  readonly deletes?: never;
}

export type Task = HostTask | NodeTask;

/** Parts of the removal script that the roster keeps on the host; the leave adds the part that all tasks share. */
export const KEPT_LEAVE = [
  "lib/guest",
  "lib/acts",
  "lib/cluster",
  "lib/etcd",
  "lib/local-data",
  "lib/longhorn",
  "lib/leave-longhorn",
  "lib/firewall",
  "host/leave",
];

const ACTS = ["lib/task", "lib/guest", "lib/acts"];
const CLUSTER = [...ACTS, "lib/cluster"];
/** Parts of tasks that run on a node and report its onboarding. */
const ONBOARDING = ["lib/task", "lib/progress", "lib/doing"];
/** The files with which a guest shows its progress. */
const GUEST_PAGE = {
  "guest-page.sh": ["lib/progress.sh", "host/files/guest-page.sh"],
  "style.css": { text: PAGE_STYLE },
  "view.sh": ["host/files/view.sh"],
  "end-page.sh": ["host/files/end-page.sh"],
  "k3s-onboarding.socket": ["host/files/k3s-onboarding.socket"],
  "k3s-onboarding@.service": ["host/files/k3s-onboarding@.service"],
};
/** The files that allow SSH by key in a guest. */
const GUEST_SSH = {
  "guest-ssh.sh": ["host/files/guest-ssh.sh"],
  "sshd.conf": ["host/files/sshd.conf"],
  "sshd-tmpfiles.conf": ["host/files/sshd-tmpfiles.conf"],
};
/** The files with which a guest applies the rules of its firewall. */
const GUEST_FIREWALL = {
  "guest-firewall.sh": ["host/files/guest-firewall.sh"],
  "k3smesh.service": ["host/files/k3smesh.service"],
};
/** The part of a trial of a NixOS system that runs inside the guest. */
const GUEST_NIXOS = { "guest-nixos.sh": ["lib/nixos.sh", "host/files/guest-nixos.sh"] };
const ANY_TEXT = "[^\\x00]*";

export const TASKS = {
  addons: {
    runsOn: "host",
    parts: [...CLUSTER, "host/addons"],
    args: ["MESH", "CLUSTER_ID"],
    answer: lines("(?:addon|longhorn-(?:node|volumes|volume)|flux|prometheus|targets|ingress|port)\\t[^\\n\\x00]*"),
    files: { "node-checks.sh": ["lib/node-checks.sh"], "node-ports.sh": ["host/files/node-ports.sh"] },
  },
  back: {
    runsOn: "host",
    parts: [...CLUSTER, "host/back"],
    args: ["VMID", "NAME", "ROLE", "AFTER", "TIMEOUT", "CLUSTER_ID"],
  },
  "ca-hash": {
    runsOn: "host",
    parts: [...CLUSTER, "host/ca-hash"],
    args: ["TIMEOUT", "CLUSTER_ID"],
    answer: "[0-9a-f]{64}",
  },
  check: {
    runsOn: "host",
    parts: [...CLUSTER, "lib/everywhere", "host/check"],
    args: ["PHASE", "ARCH", "NETWORKS", "URL", "CLUSTER_ID"],
    answer: lines("[A-Za-z0-9.-]+\\t(?:ok|warn|fail)\\t[a-z-]+\\t[^\\t\\n\\x00]+(?:\\t[^\\t\\n\\x00]*)?"),
    files: { "node-checks.sh": ["lib/node-checks.sh"], "cluster-checks.sh": ["host/files/cluster-checks.sh"] },
  },
  claim: {
    runsOn: "host",
    parts: ["lib/task", "lib/guest", "host/claim"],
    args: ["VMID", "NAME", "CREATION", "NETWORK", "TEMPLATE", "MARK"],
  },
  discard: {
    runsOn: "host",
    parts: [...ACTS, "host/discard"],
    args: ["VMID", "NAME", "CREATION", "WAIT", "MARK"],
  },
  disks: {
    runsOn: "host",
    parts: [...ACTS, "host/disks"],
    args: ["VMID", "NAME", "DISKS", "POOL", "CLUSTER_ID", "MARK"],
    deletes: true,
  },
  "fetch-artifacts": {
    runsOn: "node",
    parts: [...ONBOARDING, "lib/download", "lib/node-checks", "lib/node-files", "node/fetch-artifacts"],
    args: ["NAME", "ARCH", "VERSION", "SOURCE", "TO", "IMAGES", "SHA256", "IMAGES_SHA256"],
  },
  firewall: {
    runsOn: "host",
    parts: [...CLUSTER, "lib/firewall", "host/firewall"],
    args: ["RULES", "MESH", "REPAIRS", "CLUSTER_ID"],
    files: GUEST_FIREWALL,
    deletes: true,
  },
  "firewall-trial": {
    runsOn: "host",
    parts: [...CLUSTER, "lib/firewall", "host/firewall-trial"],
    args: ["RULES", "MESH", "REPAIRS", "CLUSTER_ID"],
    files: GUEST_FIREWALL,
    answer: lines(`${LABEL} ${IPV4}`),
  },
  "gate-check": { runsOn: "host", parts: ["lib/task", "host/gate-check"], args: ["NONCE"], answer: ID },
  guard: {
    runsOn: "host",
    parts: ["lib/task", "lib/guest", "host/guard"],
    args: ["VMID", "NAME", "MARK", "URN"],
    deletes: true,
  },
  guests: { runsOn: "host", parts: ["lib/task", "lib/guest", "host/guests"], args: ["MARK"], answer: ANY_TEXT },
  "host-key": {
    runsOn: "host",
    parts: [...ACTS, "host/host-key"],
    args: ["VMID", "NAME", "MARK"],
    answer: "ssh-ed25519 [A-Za-z0-9+/]+=*",
  },
  "install-k3s": {
    runsOn: "node",
    parts: [
      ...[
        ...ONBOARDING,
        "node/k3s-onboarding",
        "lib/node-checks",
        "lib/node-files",
        "node/registries",
        "node/k3s-files",
        "node/k3s-refusals",
      ],
      ...["node/install-k3s", "node/k3s-start"],
    ],
    args: [
      "ROLE",
      "VERSION",
      "NAME",
      "ARCH",
      "FROM",
      "IMAGES",
      "CONFIG",
      "REGISTRIES",
      "NETWORKS",
      "START_TIMEOUT",
      "REPAIRS",
      "SHA256",
      "IMAGES_SHA256",
    ],
    words: ["restarted", "unchanged"],
    files: {
      "k3s.service": ["node/files/k3s.service"],
      "k3s-agent.service": ["node/files/k3s-agent.service"],
      "zfs-snapshotters": { text: SNAPSHOTTERS_FOR_ZFS.join("\n") },
    },
  },
  join: {
    runsOn: "host",
    parts: [...CLUSTER, "lib/etcd", "host/join"],
    args: ["VMID", "NAME", "TIMEOUT", "CLUSTER_ID"],
    files: { "api-port": { text: String(API_PORT) } },
  },
  kubeconfig: {
    runsOn: "host",
    parts: [...CLUSTER, "host/kubeconfig"],
    args: ["TIMEOUT", "REPAIRS", "CLUSTER_ID"],
    answer: ANY_TEXT,
  },
  leave: {
    runsOn: "host",
    parts: ["lib/task", "host/leave-stub"],
    args: ["VMID", "NAME", "ROLE", "CLUSTER_ID", "MARK"],
    deletes: true,
  },
  lxc: {
    runsOn: "host",
    parts: [...ACTS, "host/lxc"],
    args: ["VMID", "NAME", "ADDRESS", "AUTHORIZED_KEYS", "MARK"],
    files: {
      // Constants are part of the script, so the gate's sum covers them.
      features: { text: LXC_FEATURES },
      "raw-lines": { text: LXC_RAW_LINES.join("\n") },
      ...GUEST_SSH,
    },
  },
  "nixos-build": {
    runsOn: "node",
    parts: ["lib/task", "lib/nixos", "node/nixos-build"],
    args: ["NAME", "VERSION", "CONFIG", "MODULE"],
  },
  "nixos-k3s": {
    runsOn: "node",
    parts: [
      ...[...ONBOARDING, "node/k3s-onboarding", "lib/node-checks", "lib/node-files", "lib/nixos"],
      ...["node/registries", "node/nixos-files", "node/k3s-refusals", "node/nixos-k3s", "node/k3s-start"],
    ],
    args: [
      "ROLE",
      "VERSION",
      "NAME",
      "ARCH",
      "CONFIG",
      "REGISTRIES",
      "NETWORKS",
      "MODULE_SHA256",
      "START_TIMEOUT",
      "REPAIRS",
    ],
    words: ["restarted", "unchanged"],
    files: { "zfs-snapshotters": { text: SNAPSHOTTERS_FOR_ZFS.join("\n") } },
  },
  "nixos-keep": {
    runsOn: "host",
    parts: [...ACTS, "lib/nixos-guest", "host/nixos-keep"],
    args: ["VMID", "NAME", "MARK"],
    files: GUEST_NIXOS,
  },
  "nixos-trial": {
    runsOn: "host",
    parts: [...ACTS, "lib/nixos-guest", "host/nixos-trial"],
    args: ["VMID", "NAME", "MARK"],
    words: ["tried", "unchanged"],
    files: GUEST_NIXOS,
  },
  onboarding: {
    runsOn: "host",
    parts: [...CLUSTER, "lib/everywhere", "host/onboarding"],
    args: ["CLUSTER_ID"],
    answer: lines("onboarding\\t[^\\n\\t\\x00]*\\t(?:[A-Za-z0-9+/]+=*|-)(?:\\tjoined)?"),
  },
  page: {
    runsOn: "host",
    parts: [...ACTS, "host/page"],
    args: ["VMID", "NAME", "ADDRESS", "MARK"],
    files: GUEST_PAGE,
    deletes: true,
  },
  packages: {
    runsOn: "node",
    parts: [...ONBOARDING, "lib/node-checks", "lib/node-files", "lib/apt", "node/packages"],
    args: ["NAME", "ARCH", "PACKAGES", "ISCSI", "DEADLINE"],
  },
  preflight: {
    runsOn: "host",
    parts: ["lib/task", "lib/guest", "host/preflight", "host/preflight-host", "host/preflight-machines"],
    args: ["PVE_NODE", "BRIDGE", "POOL", "NODES", "FURTHER", "FIRMWARE", "MODULES", "OVERLAYFS", "SNIPPETS", "MARK"],
    answer: ANY_TEXT,
  },
  "push-artifacts": {
    runsOn: "host",
    parts: [...ACTS, "host/push-artifacts"],
    args: ["VMID", "NAME", "FROM", "FILES", "MARK"],
  },
  quorum: {
    runsOn: "host",
    parts: [...CLUSTER, "lib/etcd", "host/quorum"],
    args: ["NAME", "EFFECT", "CLUSTER_ID"],
  },
  ready: {
    runsOn: "host",
    parts: [...CLUSTER, "lib/longhorn", "lib/longhorn-disks", "lib/doing", "host/ready"],
    args: ["VMID", "NAME", "VERSION", "LABELS", "TAINTS", "LONGHORN_DISKS", "ETCD", "TIMEOUT", "REPAIRS", "CLUSTER_ID"],
    files: { "progress.sh": ["lib/progress.sh"], "guest-unmount.sh": ["host/files/guest-unmount.sh"] },
  },
  "release-sums": {
    runsOn: "host",
    parts: ["lib/task", "lib/download", "host/release-sums"],
    args: ["SOURCE", "ARCH", "IMAGES"],
    answer: "[0-9a-f]{64} (?:[0-9a-f]{64}|-)",
  },
  roster: {
    runsOn: "host",
    parts: ["lib/task", "lib/guest", "host/roster"],
    args: [
      "SERVERS",
      "DRAIN_TIMEOUT",
      "EVICTION_TIMEOUT",
      "ON_BLOCKED",
      "ON_LOCAL_DATA",
      "ON_DISKS",
      "ALLOW_CONTROL_PLANE_LOSS",
      "CLUSTER_ID",
      "MARK",
    ],
    files: { leave: KEPT_LEAVE.map((part) => `${part}.sh`) },
    deletes: true,
  },
  rules: {
    runsOn: "host",
    parts: [...CLUSTER, "lib/firewall", "host/rules"],
    args: ["VMID", "NAME", "ADDRESS", "CLUSTER_ID"],
  },
  "rules-trial": {
    runsOn: "host",
    parts: [...CLUSTER, "lib/firewall", "host/rules-trial"],
    args: ["VMID", "NAME", "ADDRESS", "CLUSTER_ID"],
    answer: lines(`${LABEL} ${IPV4}`),
  },
  snippet: {
    runsOn: "host",
    parts: ["lib/task", "lib/guest", "host/snippet"],
    args: ["STORAGE", "CLUSTER_ID"],
    files: { "vendor-data.yaml": ["host/files/vendor-data.yaml"] },
    deletes: true,
  },
  status: {
    runsOn: "host",
    parts: [...CLUSTER, "lib/everywhere", "lib/firewall", "host/status"],
    args: ["RUN", "CLUSTER_ID"],
    answer: lines("(?:server|member|certificate|k3s|firewall|through|node|leaving)\\t[^\\n\\x00]*"),
  },
  storage: {
    runsOn: "node",
    parts: ["lib/task", "node/storage"],
    args: ["NAME", "LONGHORN_DISKS", "CLUSTER_ID"],
  },
  vm: {
    runsOn: "host",
    parts: [...ACTS, "host/vm"],
    args: ["VMID", "NAME", "ADDRESS", "DISK", "DISKS", "DISKS_VMID", "AUTHORIZED_KEYS", "MARK", "URN"],
    files: {
      ...GUEST_SSH,
      "guest-disk.sh": ["host/files/guest-disk.sh"],
      "guest-machine-id.sh": ["host/files/guest-machine-id.sh"],
    },
  },
} as const satisfies Readonly<Record<string, Task>>;

export type TaskName = keyof typeof TASKS;
export const taskNames = Object.keys(TASKS) as TaskName[];

/** Type of a task's answer. */
export type AnswerOf<Name extends TaskName> = (typeof TASKS)[Name] extends { words: readonly (infer Word)[] }
  ? Word
  : string;

/** A task from the table, with its optional fields. */
export const taskOf = (name: TaskName): Task => TASKS[name];

/**
 * Checks values against the table.
 * @param values by argument, without {@link COMMON_ARGUMENTS} or with them
 * @throws Error that lists every argument that the task does not have, or that does not have its shape, with its value
 */
export function requireShapes(task: TaskName, values: Readonly<Record<string, string | number>>): void {
  const allowed: readonly string[] = [...COMMON_ARGUMENTS, ...taskOf(task).args];
  const problems = Object.entries(values).flatMap(([name, value]) => {
    if (!allowed.includes(name)) return [`${name} is not an argument of this task`];
    const shape = SHAPES[name as ArgumentName];
    return new RegExp(`^(?:${shape})$`).test(String(value)) ? [] : [`${name} may not be ${JSON.stringify(value)}`];
  });
  if (problems.length > 0) throw new Error(`the task ${task} does not accept these arguments: ${problems.join("; ")}`);
}

/** @throws Error if an argument of the task is missing */
export function requireArguments(task: TaskName, names: readonly string[]): void {
  const wanted: readonly string[] = taskOf(task).args;
  const missing = wanted.filter((name) => !names.includes(name));
  if (missing.length > 0) throw new Error(`the task ${task} needs these arguments: ${missing.join(", ")}`);
}
