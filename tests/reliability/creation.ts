import type { Row } from "./row";

type Given = Omit<Row, "phase" | "step" | "level">;
const machine = (row: Given): Row => ({ phase: "up", step: "machine", level: "engine", ...row });

const POST = { method: "POST", path: "^/nodes/[^/]+/lxc$" } as const;
const TASK = { method: "GET", path: "/tasks/[^/]+vzcreate[^/]+/status$" } as const;

/** The program's texts after the client's message. */
const NOT_MADE =
  "NODE: guest VMID was not created or not started…next:  fix the cause in the message of Proxmox VE, then pulumi up";
const NOT_KNOWN =
  "NODE: it is not known whether guest VMID was created…next:  npx proxmox-k3s recover, which removes an incomplete guest; then pulumi up";

/** Faults while a machine is made: in the Proxmox client's requests and in the tasks that they start. */
export const creation: readonly Row[] = [
  machine({
    part: "request for the container",
    fault: "the API answers 5xx once or twice",
    set: { kind: "error", ...POST, status: 596, count: 2 },
    sees: [],
    remedy: "nothing",
    bound: 60,
  }),
  machine({
    part: "request for the container",
    fault: "the API keeps answering 5xx",
    set: { kind: "error", ...POST, status: 503, text: "too many connections" },
    sees: ["HTTP 503 response - Reason: too many connections", NOT_MADE],
    remedy: "again",
    bound: 60,
  }),
  machine({
    part: "request for the container",
    fault: "the connection breaks before the API acts",
    set: { kind: "drop", ...POST, count: 1 },
    sees: ["failed to perform HTTP POST request (path: nodes/pve/lxc)", NOT_KNOWN],
    remedy: "again",
    bound: 60,
  }),
  machine({
    part: "request for the container",
    fault: "the connection breaks before the API answers",
    set: { kind: "drop-answer", ...POST, count: 1 },
    sees: ["failed to perform HTTP POST request (path: nodes/pve/lxc)", NOT_KNOWN],
    remedy: "recover",
    bound: 60,
  }),
  machine({
    part: "reading the task",
    fault: "the connection breaks once",
    set: { kind: "drop", ...TASK, count: 1 },
    sees: [],
    remedy: "nothing",
    bound: 60,
  }),
  machine({
    part: "reading the task",
    fault: "the API answers 5xx",
    set: { kind: "error", ...TASK, count: 1 },
    sees: ["error while waiting for task", "HTTP 500", NOT_KNOWN],
    remedy: "recover",
    bound: 60,
  }),
  machine({
    part: "task `vzcreate`",
    fault: "it is slow",
    set: { kind: "task-slow", task: "vzcreate", seconds: 4 },
    sees: [],
    remedy: "nothing",
    bound: "timeoutCreate",
  }),
  machine({
    part: "task `vzcreate`",
    fault: "it does not end",
    set: { kind: "task-slow", task: "vzcreate", seconds: 20 },
    sees: ["timeout while waiting for task", NOT_KNOWN],
    remedy: "recover",
    bound: "timeoutCreate",
  }),
  machine({
    part: "task `vzcreate`",
    fault: "it fails",
    set: { kind: "task-fail", task: "vzcreate", text: "mkfs failed" },
    sees: ["failed to complete with exit code: unable to create CT VMID - mkfs failed", NOT_MADE],
    remedy: "again",
    bound: 60,
  }),
  machine({
    part: "task `vzcreate`",
    fault: "its worker is killed",
    set: { kind: "task-lost", task: "vzcreate" },
    sees: ["failed to complete with exit code: unexpected status", NOT_KNOWN],
    remedy: "recover",
    bound: 60,
  }),
  machine({
    part: "task `vzstart`",
    fault: "it fails once",
    set: { kind: "task-fail", task: "vzstart", text: "startup for container failed", count: 1 },
    sees: [],
    remedy: "nothing",
    bound: 60,
  }),
  machine({
    part: "task `vzstart`",
    fault: "it fails each time",
    set: { kind: "task-fail", task: "vzstart", text: "startup for container failed" },
    sees: ["failed to complete with exit code: startup for container failed", NOT_MADE],
    remedy: "again",
    bound: 60,
  }),
  machine({
    part: "task `vzstart`",
    fault: "its worker is killed once",
    set: { kind: "task-lost", task: "vzstart", count: 1 },
    sees: [],
    remedy: "nothing",
    bound: 60,
  }),
  machine({
    part: "first reading of the machine",
    fault: "the API answers 5xx for a while",
    set: { kind: "error", method: "GET", path: "/lxc/\\d+/status/current$", count: 2 },
    sees: [],
    remedy: "nothing",
    bound: 60,
  }),
  machine({
    part: "reading its configuration",
    fault: "the API answers 5xx",
    set: { kind: "error", method: "GET", path: "/lxc/\\d+/config$", count: 1 },
    sees: ["HTTP 500", NOT_MADE],
    remedy: "again",
    bound: 60,
  }),
  machine({
    part: "the guest",
    fault: "it has no address after its first start",
    set: { kind: "no-address", count: 1 },
    sees: [],
    remedy: "nothing",
    bound: 60,
  }),
  machine({
    part: "the guest",
    fault: "it crashes right after its first start",
    set: { kind: "guest-dies", seconds: 1, count: 1 },
    sees: [],
    remedy: "nothing",
    bound: 60,
  }),
  machine({
    part: "the guest",
    fault: "it stays locked (for example by a backup)",
    set: { kind: "lock" },
    sees: [
      "timeout while waiting for container VMID configuration to become unlocked",
      "NODE: guest VMID is locked by another task…pct unlock VMID",
    ],
    fix: "`pct unlock VMID` on the Proxmox host, or wait for the task that holds it",
    remedy: "again",
    bound: "timeoutCreate",
  }),
];

/** The storage is shared by all nodes. */
export const fullStorage: readonly Row[] = [
  machine({
    part: "task `vzcreate`",
    fault: "the storage is full",
    set: { kind: "storage-full", storage: "local-lvm" },
    sees: ["unable to create CT VMID - lvcreate…free space", NOT_MADE],
    fix: "free space on the storage",
    remedy: "again",
    bound: 60,
  }),
];
