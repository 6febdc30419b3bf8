import { root } from "../access/permissions";
import { failure, parameterError } from "../errors";
import { isRunning, rebootTask, shutdownTask, startTask, stopTask } from "../guests/lifecycle";
import type { Call, Endpoint } from "../http/endpoint";
import type { VmNode } from "../node";
import { optional } from "../schema/schema";
import { machineFormat } from "../vms/options";
import { currentVmStatus } from "../vms/status";
import { count, flag, node, onGuest, optionalStorage, skipsLock, text, timeoutOf, vmidOf } from "./parameters";

const statusPath = "/nodes/{node}/qemu/{vmid}/status";
const power = { path: "/vms/{vmid}", privileges: ["VM.PowerMgmt"] };
const migratedfrom = { ...node, optional: true };

/** Status of a virtual machine, and its start, stop and so on. */
export const qemuStatusEndpoints: readonly Endpoint[] = [
  {
    method: "GET",
    path: statusPath,
    parameters: onGuest,
    permission: "all",
    handle: (call) => {
      call.node.qemu.guests.load(vmidOf(call));
      const names = ["current", "start", "stop", "reset", "shutdown", "suspend", "reboot"];
      return names.map((subdir) => ({ subdir }));
    },
  },
  {
    method: "GET",
    path: `${statusPath}/current`,
    parameters: onGuest,
    permission: { path: "/vms/{vmid}", privileges: ["VM.Audit"] },
    handle: (call) => currentVmStatus(call.node.qemu, vmidOf(call)),
  },
  {
    method: "POST",
    path: `${statusPath}/start`,
    parameters: {
      ...{ ...onGuest, skiplock: flag, migratedfrom, timeout: count, "with-conntrack-state": flag },
      "force-cpu": text,
      machine: optional("string", { format: machineFormat }),
      migration_network: optional("string", { format: "CIDR" }),
      migration_type: optional("string", { enum: ["secure", "insecure"] }),
      "nets-host-mtu": optional("string", { pattern: /^net\d+=\d+(,net\d+=\d+)*$/ }),
      stateuri: optional("string", { maxLength: 128 }),
      targetstorage: optional("string", { format: "storage-pair-list" }),
    },
    permission: power,
    handle: (call) => {
      const ofMigration = ["stateuri", "migratedfrom", "migration_type", "migration_network", "targetstorage"];
      forRootOnly(call, [...ofMigration, "force-cpu", "with-conntrack-state", "nets-host-mtu"]);
      return startTask(call.node.qemu, call.user, vmidOf(call), skipsLock(call));
    },
  },
  {
    method: "POST",
    path: `${statusPath}/stop`,
    parameters: {
      ...{ ...onGuest, skiplock: flag, keepActive: flag, migratedfrom, "overrule-shutdown": flag, timeout: count },
    },
    permission: power,
    handle: (call) => {
      forRootOnly(call, ["keepActive", "migratedfrom"]);
      return stopTask(call.node.qemu, call.user, vmidOf(call), skipsLock(call));
    },
  },
  {
    method: "POST",
    path: `${statusPath}/shutdown`,
    parameters: { ...onGuest, skiplock: flag, timeout: count, forceStop: flag, keepActive: flag },
    permission: power,
    handle: async (call) => {
      const { user, params } = call;
      const { qemu } = call.node;
      forRootOnly(call, ["keepActive", "skiplock"]);
      const vmid = vmidOf(call);
      const force = params["forceStop"] === "1";
      if (!(await isPaused(qemu, vmid))) return shutdownTask(qemu, user, vmid, { ...timeoutOf(call), force });
      if (!force) throw failure("VM is paused - cannot shutdown");
      return qemu.tasks.start("qmshutdown", String(vmid), user, (log) =>
        qemu.guests.withLock(vmid, () => qemu.driver.stop(vmid, log)),
      );
    },
  },
  {
    method: "POST",
    path: `${statusPath}/reboot`,
    parameters: { ...onGuest, timeout: count },
    permission: power,
    handle: async (call) => {
      if (await isPaused(call.node.qemu, vmidOf(call))) throw failure("VM is paused - cannot shutdown");
      return rebootTask(call.node.qemu, call.user, vmidOf(call), timeoutOf(call).timeoutSeconds);
    },
  },
  {
    method: "POST",
    path: `${statusPath}/reset`,
    parameters: { ...onGuest, skiplock: flag },
    permission: power,
    handle: (call) => runningTask(call, "qmreset", (vmid) => call.node.qemu.driver.reset(vmid)),
  },
  {
    method: "POST",
    path: `${statusPath}/suspend`,
    parameters: { ...onGuest, skiplock: flag, todisk: flag, statestorage: { ...optionalStorage, requires: "todisk" } },
    permission: power,
    handle: (call) => {
      if (call.params["todisk"] === "1") throw failure("this double cannot suspend machines to disk");
      return runningTask(call, "qmpause", (vmid) => call.node.qemu.driver.pause(vmid));
    },
  },
  {
    method: "POST",
    path: `${statusPath}/resume`,
    parameters: { ...onGuest, skiplock: flag, nocheck: flag },
    permission: power,
    handle: (call) => {
      forRootOnly(call, ["nocheck"]);
      return runningTask(call, "qmresume", (vmid) => call.node.qemu.driver.resume(vmid));
    },
  },
];

/** A task on a running machine. @throws ApiError 500 if it does not run. */
async function runningTask(call: Call, type: string, work: (vmid: number) => Promise<void>): Promise<string> {
  const { guests, tasks } = call.node.qemu;
  const vmid = vmidOf(call);
  const skipLock = skipsLock(call);
  if (!(await isRunning(call.node.qemu, vmid))) throw failure(`VM ${vmid} not running`);
  return tasks.start(type, String(vmid), call.user, () =>
    guests.withLock(vmid, async () => {
      if (!skipLock) guests.assertUnlocked(guests.load(vmid).file);
      await work(vmid);
    }),
  );
}

async function isPaused({ driver }: VmNode, vmid: number): Promise<boolean> {
  return (await driver.status(vmid)).paused ?? false;
}

/** @throws ApiError 400 if anybody but root@pam uses parameters for migrations. */
function forRootOnly({ user, params }: Call, names: readonly string[]): void {
  for (const name of names)
    if (params[name] !== undefined && params[name] !== "0" && user !== root)
      throw parameterError({ [name]: "Only root may use this option." });
}
