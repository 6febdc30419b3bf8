import type { Row } from "./row";

type Given = Omit<Row, "phase" | "step" | "level">;
type Removal = "scale down" | "destroy";

const SHUTDOWN = { method: "POST", path: "/status/shutdown$" } as const;
const DELETE = { method: "DELETE", path: "^/nodes/[^/]+/lxc/\\d+$" } as const;

/** The program's texts after the client's message. */
const STANDS = "NODE: guest VMID still exists next:  fix the cause in the message of Proxmox VE, then pulumi up";
const NOT_KNOWN = "NODE: it is not known whether guest VMID was removed next:  pulumi up --refresh";

const locked: Given = {
  part: "the guest",
  fault: "it is locked (for example by a backup)",
  set: { kind: "lock" },
  sees: ["CT is locked (backup)"],
  fix: "wait for the backup, or `pct unlock VMID` on the Proxmox host",
  remedy: "again",
  bound: 60,
};
/** A node that leaves checks its guest first and waits for the guest's lock. */
const lockedLeave: Row = {
  ...locked,
  phase: "scale down",
  step: "leave",
  level: "engine",
  sees: [
    "guest VMID stays locked (backup) next:  see the running task in the Proxmox task log; if none runs: pct unlock VMID",
  ],
  bound: 150,
};

/** Faults while a machine is removed. A `destroy` does not run the program, so it prints only the client's message. */
export function machineRemoval(phase: Removal): readonly Row[] {
  const advised = phase === "scale down";
  const machine = ({ sees, advice = STANDS, ...row }: Given & { readonly advice?: string }): Row => ({
    phase,
    step: "machine",
    level: "engine",
    ...row,
    sees: [...sees, ...(advised && row.remedy !== "nothing" ? [advice] : [])],
  });
  const unknown = { remedy: "again --refresh", advice: NOT_KNOWN } as const;
  return [
    machine({
      part: "reading its state",
      fault: "the API answers 5xx",
      set: { kind: "error", method: "GET", path: "/status/current$", count: 1 },
      sees: ["error retrieving container status: received an HTTP 500"],
      remedy: "again",
      bound: 60,
    }),
    machine({
      part: "reading its state",
      fault: "the connection breaks once",
      set: { kind: "drop", method: "GET", path: "/status/current$", count: 1 },
      sees: [],
      remedy: "nothing",
      bound: 60,
    }),
    machine({
      part: "request to shut down",
      fault: "the API answers 5xx",
      set: { kind: "error", ...SHUTDOWN, count: 1 },
      sees: ["error shutting down container: received an HTTP 500"],
      remedy: "again",
      bound: 60,
    }),
    machine({
      part: "request to shut down",
      fault: "the connection breaks before the API acts",
      set: { kind: "drop", ...SHUTDOWN, count: 1 },
      sees: ["failed to perform HTTP POST request (path: nodes/pve/lxc/VMID/status/shutdown)"],
      remedy: "again",
      bound: 60,
    }),
    machine({
      part: "request to shut down",
      fault: "the connection breaks before the API answers",
      set: { kind: "drop-answer", ...SHUTDOWN, count: 1 },
      sees: ["failed to perform HTTP POST request (path: nodes/pve/lxc/VMID/status/shutdown)"],
      remedy: "again",
      bound: 60,
    }),
    machine({
      part: "task `vzshutdown`",
      fault: "it fails",
      set: { kind: "task-fail", task: "vzshutdown", text: "lxc-stop failed" },
      sees: ["failed to complete with exit code: lxc-stop failed"],
      remedy: "again",
      bound: 60,
    }),
    machine({
      part: "task `vzshutdown`",
      fault: "it is slow",
      set: { kind: "task-slow", task: "vzshutdown", seconds: 4 },
      sees: [],
      remedy: "nothing",
      bound: "timeoutDelete",
    }),
    machine({
      part: "task `vzshutdown`",
      fault: "its worker is killed",
      set: { kind: "task-lost", task: "vzshutdown" },
      sees: ["failed to complete with exit code: unexpected status"],
      remedy: "again",
      bound: 60,
    }),
    advised ? lockedLeave : machine(locked),
    machine({
      part: "request to destroy",
      fault: "the API answers 5xx once or twice",
      set: { kind: "error", ...DELETE, count: 2 },
      sees: [],
      remedy: "nothing",
      bound: 60,
    }),
    machine({
      part: "request to destroy",
      fault: "the API keeps answering 5xx",
      set: { kind: "error", ...DELETE, status: 503, text: "too many connections" },
      sees: ["error deleting container: received an HTTP 503 response - Reason: too many connections"],
      remedy: "again",
      bound: 60,
    }),
    machine({
      part: "request to destroy",
      fault: "the connection breaks before the API acts",
      set: { kind: "drop", ...DELETE, count: 1 },
      sees: ["failed to perform HTTP DELETE request (path: nodes/pve/lxc/VMID)"],
      ...unknown,
      bound: 60,
    }),
    machine({
      part: "request to destroy",
      fault: "the connection breaks before the API answers",
      set: { kind: "drop-answer", ...DELETE, count: 1 },
      sees: ["failed to perform HTTP DELETE request (path: nodes/pve/lxc/VMID)"],
      ...unknown,
      bound: 60,
    }),
    machine({
      part: "task `vzdestroy`",
      fault: "it fails",
      set: { kind: "task-fail", task: "vzdestroy", text: "lvremove failed" },
      sees: ["failed to complete with exit code: lvremove failed"],
      remedy: "again",
      bound: 60,
    }),
    machine({
      part: "task `vzdestroy`",
      fault: "its worker is killed",
      set: { kind: "task-lost", task: "vzdestroy" },
      sees: ["failed to complete with exit code: unexpected status"],
      remedy: "again",
      bound: 60,
    }),
    machine({
      part: "task `vzdestroy`",
      fault: "it does not end",
      set: { kind: "task-slow", task: "vzdestroy", seconds: 20 },
      sees: ["timeout while waiting for task"],
      ...unknown,
      bound: "timeoutDelete",
    }),
    machine({
      part: "reading the task `vzdestroy`",
      fault: "the API answers 5xx",
      set: { kind: "error", method: "GET", path: "/tasks/[^/]+vzdestroy[^/]+/status$", count: 1 },
      sees: ["error while waiting for task", "HTTP 500"],
      ...unknown,
      bound: 60,
    }),
  ];
}
