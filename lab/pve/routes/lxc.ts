import { messageOf, failure, parameterError } from "../errors";
import { withPending, type GuestConfig } from "../guestConfig";
import { createGuest } from "../guests/create";
import { checkModify, checkOfChange } from "../guests/guestPermissions";
import { assertUnchanged, destroyTask, isRunning } from "../guests/lifecycle";
import { containerOptions, isVolumeKey } from "../guests/options";
import { pendingEntries, readSection, typedOptions } from "../guests/reading";
import { resizeTask } from "../guests/resize";
import { containerStatus, interfaceEntry } from "../guests/status";
import { applyPending, hotplugPending, queueChange, type ConfigChange } from "../guests/update";
import type { Call, Endpoint } from "../http/endpoint";
import { splitList } from "../schema/formats";
import { optional, required } from "../schema/schema";
import { digest, flag, onGuest, onNode, optionalStorage, snapshotName, text } from "./parameters";

const guestPath = "/nodes/{node}/lxc/{vmid}";
const audit = { path: "/vms/{vmid}", privileges: ["VM.Audit"] };

/** The containers of the node: list, create, read, change, resize, destroy. */
export const lxcEndpoints: readonly Endpoint[] = [
  { method: "GET", path: "/nodes/{node}/lxc", parameters: onNode, permission: "all", handle: list },
  {
    method: "POST",
    path: "/nodes/{node}/lxc",
    parameters: {
      ...containerOptions,
      ...onGuest,
      ostemplate: required("string", { maxLength: 255 }),
      password: optional("string", { minLength: 5 }),
      storage: optionalStorage,
      force: flag,
      restore: flag,
      unique: optional("boolean", { requires: "restore" }),
      pool: optional("string", { format: "pve-poolid" }),
      "ignore-unpack-errors": flag,
      "ssh-public-keys": text,
      bwlimit: optional("number", { minimum: 0 }),
      start: flag,
      "ha-managed": flag,
    },
    permission: "all",
    handle: ({ node, user, params }) => createGuest(node.lxc, user, params),
  },
  { method: "GET", path: guestPath, parameters: onGuest, permission: "all", handle: index },
  {
    method: "DELETE",
    path: guestPath,
    parameters: { ...onGuest, force: flag, purge: flag, "destroy-unreferenced-disks": flag },
    permission: { path: "/vms/{vmid}", privileges: ["VM.Allocate"] },
    handle: ({ node, user, params }) =>
      destroyTask(node.lxc, user, Number(params["vmid"]), { force: params["force"] === "1" }),
  },
  {
    method: "GET",
    path: `${guestPath}/config`,
    parameters: { ...onGuest, current: flag, snapshot: snapshotName },
    permission: audit,
    handle: readConfig,
  },
  {
    method: "PUT",
    path: `${guestPath}/config`,
    parameters: {
      ...containerOptions,
      ...onGuest,
      delete: optional("string", { format: "pve-configid-list" }),
      revert: optional("string", { format: "pve-configid-list" }),
      digest,
    },
    permission: {
      path: "/vms/{vmid}",
      privileges: ["VM.Config.Disk", "VM.Config.CPU", "VM.Config.Memory", "VM.Config.Network", "VM.Config.Options"],
      any: true,
    },
    handle: updateConfig,
  },
  { method: "GET", path: `${guestPath}/pending`, parameters: onGuest, permission: audit, handle: pending },
  { method: "GET", path: `${guestPath}/interfaces`, parameters: onGuest, permission: audit, handle: interfaces },
  {
    method: "PUT",
    path: `${guestPath}/resize`,
    parameters: {
      ...onGuest,
      disk: required("string", { enum: Object.keys(containerOptions).filter(isVolumeKey) }),
      size: required("string", { pattern: /^\+?\d+(\.\d+)?[KMGT]?$/ }),
      digest,
    },
    permission: { path: "/vms/{vmid}", privileges: ["VM.Config.Disk"] },
    handle: ({ node, user, params }) =>
      resizeTask(node.lxc, user, Number(params["vmid"]), {
        disk: params["disk"]!,
        size: params["size"]!,
        ...(params["digest"] !== undefined && { digest: params["digest"] }),
      }),
  },
];

async function list({ node, user }: Call): Promise<unknown> {
  const permissions = node.access.permissions();
  const visible = node.lxc.guests.list().filter((vmid) => permissions.has(user, `/vms/${vmid}`, ["VM.Audit"]));
  return Promise.all(visible.map((vmid) => containerStatus(node.lxc, vmid)));
}

function index({ node, params }: Call): unknown {
  node.lxc.guests.load(Number(params["vmid"]));
  return ["config", "pending", "status", "clone", "resize", "interfaces"].map((subdir) => ({ subdir }));
}

/** The configuration with pending changes, unless `current` is asked for. */
function readConfig(call: Call): unknown {
  const stored = call.node.lxc.guests.load(Number(call.params["vmid"]));
  const config = readSection(stored.file, call.params, withPending);
  return {
    ...typedOptions(containerOptions, new Map(readableOptions(call, config))),
    ...(config.raw.length > 0 && { lxc: config.raw }),
    digest: stored.digest,
  };
}

function readableOptions(call: Call, config: GuestConfig): [string, string][] {
  const mayRead = mayReadEnvironment(call);
  return [...config.options].filter(([key]) => key !== "env" || mayRead);
}

/** The environment may hold secrets: reading it needs the rights for changing it. */
function mayReadEnvironment({ node, user, params }: Call): boolean {
  return node.access.permissions().has(user, `/vms/${params["vmid"]}`, ["VM.Config.Options"]);
}

async function updateConfig({ node: { lxc: node }, user, params }: Call): Promise<void> {
  const { node: _node, vmid: id, digest: expected, delete: deletions, revert: reversions, ...set } = params;
  const vmid = Number(id);
  const change: ConfigChange = { set, delete: splitList(deletions), revert: splitList(reversions) };
  if (Object.keys(set).length === 0 && deletions === undefined && reversions === undefined)
    throw failure("no options specified");
  await node.guests.withLock(vmid, async () => {
    const stored = node.guests.load(vmid);
    node.guests.assertUnlocked(stored.file);
    assertUnchanged(expected, stored.digest);
    const check = checkOfChange(node, user, vmid, stored.file);
    checkModify(check, {}, [...change.delete, ...change.revert]);
    assertConsistent(change);
    checkModify(check, set);
    const draft = node.guests.edit(vmid);
    const context = { vmid, storages: node.storages };
    const touched = queueChange(draft, change, context);
    if (await isRunning(node, vmid)) {
      const changed = hotplugPending(draft, touched, context);
      await node.driver.apply(vmid, draft, changed).catch((error: unknown) => {
        throw parameterError(
          Object.fromEntries(changed.map((key) => [key, `unable to hotplug ${key}: ${messageOf(error)}`])),
        );
      });
    } else {
      const errors = applyPending(draft, context, touched);
      if (Object.keys(errors).length > 0) throw parameterError(errors);
    }
    node.guests.write(vmid, draft);
  });
}

/** @throws ApiError 400 for unknown options, and for ones in more than one of set, delete and revert. */
function assertConsistent({ set, delete: deletions, revert }: ConfigChange): void {
  for (const key of revert) {
    if (!(key in containerOptions)) throw parameterError({ revert: `unknown option '${key}'` });
    if (key in set) throw parameterError({ revert: `you can't use '-${key}' and '-revert ${key}' at the same time` });
  }
  for (const key of deletions) {
    if (!(key in containerOptions)) throw parameterError({ delete: `unknown option '${key}'` });
    if (key in set) throw parameterError({ delete: `you can't use '-${key}' and -delete ${key}' at the same time` });
    if (revert.includes(key))
      throw parameterError({ delete: `you can't use '-delete ${key}' and '-revert ${key}' at the same time` });
  }
}

function pending(call: Call): unknown {
  const { file } = call.node.lxc.guests.load(Number(call.params["vmid"]));
  const mayRead = mayReadEnvironment(call);
  return pendingEntries(file, (key, value) => (key !== "env" || mayRead ? value : undefined));
}

/** `null` if the guest has no network namespace, as PVE answers for a stopped one. */
async function interfaces({ node: { lxc: node }, params }: Call): Promise<unknown> {
  const vmid = Number(params["vmid"]);
  if (!(await isRunning(node, vmid))) return null;
  const found = await node.driver.interfaces(vmid);
  return found.length > 0 ? found.map(interfaceEntry) : null;
}
