import { messageOf, failure, parameterError } from "../errors";
import { withPending, type GuestConfig } from "../guestConfig";
import { createGuest } from "../guests/create";
import { checkModify } from "../guests/guestPermissions";
import { assertUnlocked } from "../guests/guestStore";
import { assertUnchanged, destroyTask, isRunning, resizeTask } from "../guests/lifecycle";
import { containerOptions, isVolumeKey, typedValue } from "../guests/options";
import { guestStatus, interfaceEntry } from "../guests/status";
import { applyPending, hotplugPending, queueChange, type ConfigChange } from "../guests/update";
import type { Call, Endpoint } from "../http/endpoint";
import { splitList } from "../schema/formats";
import { optional, required } from "../schema/schema";
import { digest, flag, onGuest, onNode, optionalStorage, text } from "./parameters";

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
    handle: ({ node, user, params }) => createGuest(node, user, params),
  },
  { method: "GET", path: guestPath, parameters: onGuest, permission: "all", handle: index },
  {
    method: "DELETE",
    path: guestPath,
    parameters: { ...onGuest, force: flag, purge: flag, "destroy-unreferenced-disks": flag },
    permission: { path: "/vms/{vmid}", privileges: ["VM.Allocate"] },
    handle: ({ node, user, params }) => destroyTask(node, user, Number(params["vmid"]), params["force"] === "1"),
  },
  {
    method: "GET",
    path: `${guestPath}/config`,
    parameters: { ...onGuest, current: flag, snapshot: optional("string", { format: "pve-configid", maxLength: 40 }) },
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
      resizeTask(node, user, Number(params["vmid"]), {
        disk: params["disk"]!,
        size: params["size"]!,
        ...(params["digest"] !== undefined && { digest: params["digest"] }),
      }),
  },
];

async function list({ node, user }: Call): Promise<unknown> {
  const permissions = node.access.permissions();
  const visible = node.guests.list().filter((vmid) => permissions.has(user, `/vms/${vmid}`, ["VM.Audit"]));
  return Promise.all(visible.map((vmid) => guestStatus(node, vmid)));
}

function index({ node, params }: Call): unknown {
  node.guests.load(Number(params["vmid"]));
  return ["config", "pending", "status", "clone", "resize", "interfaces"].map((subdir) => ({ subdir }));
}

/** The configuration with what is pending merged in, unless `current` is asked for. */
function readConfig(call: Call): unknown {
  const { node, params } = call;
  const { snapshot } = params;
  if (snapshot && params["current"] === "1") {
    const problem = "cannot use 'snapshot' parameter with 'current'";
    throw parameterError({ snapshot: problem, current: problem });
  }
  const stored = node.guests.load(Number(params["vmid"]));
  let config: GuestConfig = params["current"] === "1" ? stored.file : withPending(stored.file);
  if (snapshot) {
    const found = stored.file.snapshots.get(snapshot);
    if (!found) throw failure(`snapshot '${snapshot}' does not exist`);
    config = found;
  }
  const entries = readableOptions(call, config).map(([key, value]) => [key, typedValue(key, value)]);
  return {
    ...Object.fromEntries(entries),
    ...(config.raw.length > 0 && { lxc: config.raw }),
    digest: stored.digest,
  };
}

/** The environment may hold secrets: reading it takes what changing it takes. */
function readableOptions({ node, user, params }: Call, config: GuestConfig): [string, string][] {
  const mayReadEnvironment = node.access.permissions().has(user, `/vms/${params["vmid"]}`, ["VM.Config.Options"]);
  return [...config.options].filter(([key]) => key !== "env" || mayReadEnvironment);
}

async function updateConfig({ node, user, params }: Call): Promise<void> {
  const { node: _node, vmid: id, digest: expected, delete: deletions, revert: reversions, ...set } = params;
  const vmid = Number(id);
  const change: ConfigChange = { set, delete: splitList(deletions), revert: splitList(reversions) };
  if (Object.keys(set).length === 0 && deletions === undefined && reversions === undefined)
    throw failure("no options specified");
  await node.guests.withLock(vmid, async () => {
    const stored = node.guests.load(vmid);
    assertUnlocked(stored.file);
    assertUnchanged(expected, stored.digest);
    const check = {
      permissions: node.access.permissions(),
      storages: node.storages,
      user,
      vmid,
      current: stored.file,
      unprivileged: stored.file.options.get("unprivileged") === "1",
    };
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

/** @throws ApiError 400 for unknown options and for ones that are set, deleted and reverted at once. */
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

/** Each option with its value, what it will be and whether it goes at the next start. */
function pending(call: Call): unknown {
  const { file } = call.node.guests.load(Number(call.params["vmid"]));
  const queued = new Map(readableOptions(call, file.pending));
  const deletions = new Set(file.pending.deletions);
  const current = readableOptions(call, file);
  const isNew = ([key]: [string, string]) => !file.options.has(key);
  return [
    ...current.map(([key, value]) => ({
      key,
      value,
      ...(queued.has(key) && { pending: queued.get(key) }),
      ...(deletions.has(key) && { delete: 1 }),
    })),
    ...[...queued].filter(isNew).map(([key, value]) => ({ key, pending: value })),
  ];
}

/** `null` while the guest has no network of its own, as PVE answers for a stopped one. */
async function interfaces({ node, params }: Call): Promise<unknown> {
  const vmid = Number(params["vmid"]);
  if (!(await isRunning(node, vmid))) return null;
  const found = await node.driver.interfaces(vmid);
  return found.length > 0 ? found.map(interfaceEntry) : null;
}
