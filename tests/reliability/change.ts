import type { Row } from "./row";

type Given = Omit<Row, "phase" | "step" | "level">;
const machine = (row: Given): Row => ({ phase: "change", step: "machine", level: "engine", ...row });

const PUT = { method: "PUT", path: "/config$" } as const;
const REBOOT = { method: "POST", path: "/status/reboot$" } as const;
const ADVICE = "NODE: guest VMID was not changed, or only partly next:  pulumi up --refresh";
const NOT_KNOWN = "NODE: it is not known whether guest VMID was changed next:  pulumi up --refresh";

/** Faults while a machine gets more memory, for which the client reboots it. */
export const change: readonly Row[] = [
  machine({
    part: "request for the change",
    fault: "the API answers 5xx",
    set: { kind: "error", ...PUT, count: 1 },
    sees: ["HTTP 500", ADVICE],
    remedy: "again --refresh",
    bound: 60,
  }),
  machine({
    part: "request for the change",
    fault: "the connection breaks before the API acts",
    set: { kind: "drop", ...PUT, count: 1 },
    sees: ["failed to perform HTTP PUT request (path: nodes/pve/lxc/VMID/config)", NOT_KNOWN],
    remedy: "again --refresh",
    bound: 60,
  }),
  machine({
    part: "request for the change",
    fault: "the connection breaks before the API answers",
    set: { kind: "drop-answer", ...PUT, count: 1 },
    sees: ["failed to perform HTTP PUT request (path: nodes/pve/lxc/VMID/config)", NOT_KNOWN],
    remedy: "again --refresh",
    bound: 60,
  }),
  machine({
    part: "the guest",
    fault: "it is locked (for example by a backup)",
    set: { kind: "lock" },
    sees: ["CT is locked (backup)", "NODE: guest VMID is locked by another task…pct unlock VMID"],
    fix: "wait for the backup, or `pct unlock VMID` on the Proxmox host",
    remedy: "again --refresh",
    bound: 60,
  }),
  machine({
    part: "request for the reboot",
    fault: "the API answers 5xx",
    set: { kind: "error", ...REBOOT, count: 1 },
    sees: ["error rebooting container: received an HTTP 500", ADVICE],
    remedy: "again --refresh",
    bound: 60,
  }),
  machine({
    part: "task `vzreboot`",
    fault: "it fails",
    set: { kind: "task-fail", task: "vzreboot", text: "lxc-stop failed" },
    sees: ["failed to complete with exit code: lxc-stop failed", ADVICE],
    remedy: "again --refresh",
    bound: 60,
  }),
  machine({
    part: "task `vzreboot`",
    fault: "it is slow",
    set: { kind: "task-slow", task: "vzreboot", seconds: 4 },
    sees: [],
    remedy: "nothing",
    bound: "timeoutUpdate",
  }),
  machine({
    part: "task `vzreboot`",
    fault: "its worker is killed",
    set: { kind: "task-lost", task: "vzreboot" },
    sees: ["failed to complete with exit code: unexpected status", ADVICE],
    remedy: "again --refresh",
    bound: 60,
  }),
];
