import { parameterError } from "../errors";
import { withPending } from "../guestConfig";
import { destroyTask } from "../guests/lifecycle";
import { pendingEntries, readSection, typedOptions } from "../guests/reading";
import type { Call, Endpoint } from "../http/endpoint";
import { optional, required, type ParameterTable } from "../schema/schema";
import { splitList } from "../schema/formats";
import { networkConfig, cloudInitFiles, userData } from "../vms/cloudInit";
import { createVm } from "../vms/create";
import { assertNoClones } from "../vms/disks";
import { cloudInitOptions, readVmOptions, vmOptions } from "../vms/options";
import { vmStatus } from "../vms/status";
import { checkVmChange, readVmChange, updateVm } from "../vms/update";
import { digest, flag, onGuest, onNode, optionalStorage, skipsLock, snapshotName, vmidOf } from "./parameters";

const vmPath = "/nodes/{node}/qemu/{vmid}";
const audit = { path: "/vms/{vmid}", privileges: ["VM.Audit"] };

/** The parameters of a change of a machine besides its options. */
const change: ParameterTable = {
  ...vmOptions,
  ...onGuest,
  ...{ skiplock: flag, digest },
  delete: optional("string", { format: "pve-configid-list" }),
  revert: optional("string", { format: "pve-configid-list" }),
  force: optional("boolean", { requires: "delete" }),
};
const mayChange = {
  path: "/vms/{vmid}",
  privileges: [
    ...["Disk", "CDROM", "CPU", "Memory", "Network", "HWType", "Options", "Cloudinit"].map(
      (area) => `VM.Config.${area}`,
    ),
  ],
  any: true,
} as const;

/** The virtual machines of the node: list, create, read, change, destroy; and their cloud-init data. */
export const qemuEndpoints: readonly Endpoint[] = [
  {
    method: "GET",
    path: "/nodes/{node}/qemu",
    parameters: { ...onNode, full: flag },
    permission: "all",
    handle: list,
  },
  {
    method: "POST",
    path: "/nodes/{node}/qemu",
    parameters: {
      ...vmOptions,
      ...onGuest,
      archive: optional("string", { maxLength: 255 }),
      bwlimit: optional("integer", { minimum: 0 }),
      force: optional("boolean", { requires: "archive" }),
      "ha-managed": flag,
      "import-working-storage": optionalStorage,
      "live-restore": flag,
      pool: optional("string", { format: "pve-poolid" }),
      start: flag,
      storage: optionalStorage,
      unique: optional("boolean", { requires: "archive" }),
    },
    permission: "all",
    handle: ({ node, user, params }) => createVm(node.qemu, user, params),
  },
  { method: "GET", path: vmPath, parameters: onGuest, permission: "all", handle: index },
  {
    method: "DELETE",
    path: vmPath,
    parameters: { ...onGuest, skiplock: flag, purge: flag, "destroy-unreferenced-disks": flag },
    permission: { path: "/vms/{vmid}", privileges: ["VM.Allocate"] },
    handle: (call) => {
      const vmid = vmidOf(call);
      const assertUnused = () => assertNoClones(call.node.qemu, vmid);
      return destroyTask(call.node.qemu, call.user, vmid, { skipLock: skipsLock(call), assertUnused });
    },
  },
  {
    method: "GET",
    path: `${vmPath}/config`,
    parameters: { ...onGuest, current: flag, snapshot: snapshotName },
    permission: audit,
    handle: readConfig,
  },
  {
    method: "PUT",
    path: `${vmPath}/config`,
    parameters: change,
    permission: mayChange,
    handle: async (call) => {
      skipsLock(call);
      await updateVm(call.node.qemu, call.user, readVmChange(call.params), () => {});
    },
  },
  {
    method: "POST",
    path: `${vmPath}/config`,
    parameters: {
      ...change,
      background_delay: optional("integer", { minimum: 1, maximum: 30 }),
      "import-working-storage": optionalStorage,
    },
    permission: mayChange,
    handle: changeByTask,
  },
  {
    method: "PUT",
    path: `${vmPath}/unlink`,
    parameters: { ...onGuest, idlist: required("string", { format: "pve-configid-list" }), force: flag },
    permission: { path: "/vms/{vmid}", privileges: ["VM.Config.Disk"] },
    handle: async ({ node, user, params: { idlist, ...params } }) => {
      await updateVm(node.qemu, user, readVmChange({ ...params, delete: idlist! }), () => {});
    },
  },
  {
    method: "GET",
    path: `${vmPath}/pending`,
    parameters: onGuest,
    permission: audit,
    handle: (call) => pendingEntries(call.node.qemu.guests.load(vmidOf(call)).file, (key, value) => shown(key, value)),
  },
  { method: "GET", path: `${vmPath}/cloudinit`, parameters: onGuest, permission: audit, handle: cloudInitPending },
  {
    method: "PUT",
    path: `${vmPath}/cloudinit`,
    parameters: onGuest,
    permission: { path: "/vms/{vmid}", privileges: ["VM.Config.Cloudinit"] },
    handle: regenerateCloudInit,
  },
  {
    method: "GET",
    path: `${vmPath}/cloudinit/dump`,
    parameters: { ...onGuest, type: required("string", { enum: ["user", "network", "meta"] }) },
    permission: audit,
    handle: dumpCloudInit,
  },
];

async function list({ node: { qemu, access }, user }: Call): Promise<unknown> {
  const permissions = access.permissions();
  const visible = qemu.guests.list().filter((vmid) => permissions.has(user, `/vms/${vmid}`, ["VM.Audit"]));
  return Promise.all(visible.map((vmid) => vmStatus(qemu, vmid)));
}

function index(call: Call): unknown {
  call.node.qemu.guests.load(vmidOf(call));
  const names = ["config", "cloudinit", "pending", "status", "unlink", "resize", "move", "agent"];
  return names.map((subdir) => ({ subdir }));
}

/** The configuration with pending changes, unless `current` is asked for. */
function readConfig(call: Call): unknown {
  const { node, params } = call;
  const stored = node.qemu.guests.load(vmidOf(call));
  const config = readSection(stored.file, params, withPending);
  const options = new Map([...config.options].map(([key, value]) => [key, shown(key, value)]));
  return { ...typedOptions(readVmOptions, options), digest: stored.digest };
}

/** A password is never shown, in any form. */
function shown(key: string, value: string): string {
  return key === "cipassword" ? "**********" : value;
}

/** A `qmconfig` task; nothing if it ended within the caller's `background_delay`. */
async function changeByTask(call: Call): Promise<unknown> {
  const { user, params } = call;
  const { qemu } = call.node;
  skipsLock(call);
  const { background_delay: delay, ...rest } = params;
  const vmChange = readVmChange(rest);
  checkVmChange(qemu, user, vmChange);
  const upid = qemu.tasks.start("qmconfig", String(vmChange.vmid), user, (log) => updateVm(qemu, user, vmChange, log));
  if (delay === undefined) return upid;
  const patience = new Promise<false>((resolve) => setTimeout(resolve, Number(delay) * 1000, false).unref());
  if ((await Promise.race([qemu.tasks.ended(upid).then(() => true), patience])) === false) return upid;
  const outcome = qemu.tasks.exitStatus(upid);
  if (outcome === "OK" || outcome.startsWith("WARNINGS")) return null;
  throw parameterError({ background_delay: `failed to update VM ${vmChange.vmid}: ${outcome}` });
}

/** The values in a running machine's cloud-init drive, and those that have changed since it was written. */
function cloudInitPending(call: Call): unknown {
  const { options, cloudInit } = call.node.qemu.guests.load(vmidOf(call)).file;
  const added = splitList(cloudInit.get("added"));
  const named = [...options].filter(([key]) => key in cloudInitOptions && !/^ipconfig/.test(key));
  return [
    ...added.map((key) => ({ key, pending: shown(key, options.get(key) ?? "") })),
    ...named
      .filter(([key]) => !added.includes(key))
      .map(([key, value]) => {
        const old = cloudInit.get(key);
        return old === undefined
          ? { key, value: shown(key, value) }
          : { key, value: shown(key, old), pending: shown(key, value) };
      }),
    ...[...cloudInit.keys()].filter((key) => key !== "added" && !options.has(key)).map((key) => ({ key, delete: 1 })),
  ];
}

/** Writes the cloud-init drive again from the current options. */
async function regenerateCloudInit(call: Call): Promise<void> {
  const { guests, driver } = call.node.qemu;
  const vmid = vmidOf(call);
  await guests.withLock(vmid, async () => {
    const draft = guests.edit(vmid);
    guests.assertUnlocked(draft);
    draft.cloudInit.clear();
    guests.write(vmid, draft);
    if ((await driver.status(vmid)).running) await driver.apply(vmid, draft, ["cloudinit"]);
  });
}

function dumpCloudInit(call: Call): string {
  const { node, user, params } = call;
  const vmid = vmidOf(call);
  const { file } = node.qemu.guests.load(vmid);
  if (params["type"] === "network") return networkConfig(file);
  if (params["type"] === "meta") return cloudInitFiles(vmid, file).meta;
  const mayRead = node.access.permissions().has(user, `/vms/${vmid}`, ["VM.Config.Cloudinit"]);
  return userData(vmid, file, !mayRead);
}
