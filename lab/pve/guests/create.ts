import * as fs from "node:fs";
import sshpk from "sshpk";
import { root, type Permissions } from "../access/permissions";
import { failure, messageOf, parameterError, permissionDenied, WorkerKilled } from "../errors";
import { guestConfig } from "../guestConfig";
import type { ContainerNode } from "../node";
import type { Params } from "../schema/schema";
import { draftOf, type Draft } from "./draft";
import { checkModify, checkVolumeAccess } from "./guestPermissions";
import { startTask } from "./lifecycle";
import { applyPending, queueChange } from "./update";
import { allocated, newDisk, parseVolume, storageOf } from "./volumes";
import { isVolumeKey } from "./options";

interface CreateRequest {
  vmid: number;
  template: string;
  storage: string;
  unprivileged: boolean;
  start: boolean;
  pool?: string;
  password?: string;
  sshPublicKeys?: string;
  /** All other parameters: the options of the container. */
  options: Params;
}

/**
 * `POST /nodes/{node}/lxc`: checks in PVE's order, then a `vzcreate` task.
 *
 * @returns the UPID.
 */
export function createGuest(node: ContainerNode, user: string, params: Params): string {
  const request = readRequest(params);
  const { vmid, pool, unprivileged } = request;
  const permissions = node.access.permissions();
  if (!unprivileged) permissions.check(user, "/", ["Sys.Modify"]);
  if (params["ha-managed"] === "1") throw failure("high availability is not part of this node");
  node.guests.assertUnused(vmid);
  if (request.sshPublicKeys !== undefined) assertPublicKeys(request.sshPublicKeys);
  assertMayCreate(node, permissions, user, request);
  checkModify({ permissions, storages: node.storages, user, vmid, pool, unprivileged }, request.options);
  checkVolumeAccess({ permissions, storages: node.storages, user, vmid }, request.template, "vztmpl");
  const disks = splitDisks(request);
  assertStorages(node, permissions, user, disks);
  const draft = draftOf(guestConfig([]));
  queueChange(draft, { set: withoutDisks(request.options), delete: [], revert: [] }, { vmid, storages: node.storages });
  const errors = applyPending(draft, { vmid, storages: node.storages });
  if (Object.keys(errors).length > 0) throw parameterError(errors);
  if (unprivileged) draft.options.set("unprivileged", "1");
  reserve(node, vmid);
  return node.tasks.start("vzcreate", String(vmid), user, async (log) => {
    await node.guests.withLock(vmid, async () => {
      try {
        await build(node, request, draft, disks, log);
      } catch (error) {
        if (error instanceof WorkerKilled) throw error;
        if (node.guests.exists(vmid)) node.guests.remove(vmid);
        throw failure(`unable to create CT ${vmid} - ${messageOf(error)}`);
      }
      if (pool !== undefined) node.access.update((config) => config.pools.get(pool)?.vms.add(vmid));
    });
    if (request.start) await startTask(node, user, vmid);
  });
}

/** Parameters of the call that are no options of the container. */
const callOnly = new Set([
  ...["node", "vmid", "ostemplate", "storage", "unprivileged", "start", "pool", "password", "ssh-public-keys"],
  ...["ignore-unpack-errors", "ha-managed", "bwlimit", "force", "restore", "unique"],
]);

function readRequest(params: Params): CreateRequest {
  const { vmid, ostemplate, storage, unprivileged, start, pool, password, "ssh-public-keys": sshPublicKeys } = params;
  if (params["restore"] === "1") throw parameterError({ restore: "backups are not part of this node" });
  return {
    vmid: Number(vmid),
    template: ostemplate!,
    storage: storage ?? "local",
    unprivileged: unprivileged !== "0",
    start: start === "1",
    ...(pool !== undefined && { pool }),
    ...(password !== undefined && { password }),
    ...(sshPublicKeys !== undefined && { sshPublicKeys }),
    options: Object.fromEntries(Object.entries(params).filter(([key]) => !callOnly.has(key))),
  };
}

function assertMayCreate(
  node: ContainerNode,
  permissions: Permissions,
  user: string,
  { vmid, pool }: CreateRequest,
): void {
  if (pool !== undefined && !node.access.read().pools.has(pool))
    throw permissionDenied(`pool '${pool}' does not exist`);
  const paths = [`/vms/${vmid}`, ...(pool !== undefined ? [`/pool/${pool}`] : [])];
  if (!paths.some((path) => permissions.has(user, path, ["VM.Allocate"]))) throw permissionDenied();
}

/** The requested disks. A plain number is a size on the default storage; without any disk, there is one of 4 GiB. */
function splitDisks({ options, storage }: CreateRequest): [key: string, value: string][] {
  const disks = Object.entries(options)
    .filter(([key]) => isVolumeKey(key))
    .map(([key, value]) => [key, /^\d+(\.\d+)?$/.test(value) ? `${storage}:${value}` : value] as [string, string]);
  if (disks.length === 0) return [["rootfs", `${storage}:4`]];
  if (!disks.some(([key]) => key === "rootfs"))
    throw failure("mount points configured, but 'rootfs' not set - aborting");
  return disks;
}

function withoutDisks(options: Params): Params {
  return Object.fromEntries(Object.entries(options).filter(([key]) => !isVolumeKey(key) && !/^unused\d+$/.test(key)));
}

function assertStorages(node: ContainerNode, permissions: Permissions, user: string, disks: [string, string][]): void {
  for (const [key, value] of disks) {
    const { type, volume } = parseVolume(key, value);
    if (type !== "volume") {
      if (user !== root) throw failure("Only root can pass arbitrary filesystem paths.");
      continue;
    }
    const storage = newDisk(volume)?.storage ?? storageOf(volume);
    if (!node.storages.get(storage).content.includes("rootdir"))
      throw parameterError({ storage: `storage '${storage}' does not support container directories` });
    permissions.check(user, `/storage/${storage}`, ["Datastore.AllocateSpace"]);
  }
}

/** Writes the file with its lock, so that the VMID is taken from now on. */
function reserve(node: ContainerNode, vmid: number): void {
  try {
    node.guests.assertUnused(vmid);
    node.guests.write(vmid, guestConfig([["lock", "create"]]));
  } catch (error) {
    throw failure(`unable to create CT ${vmid} - ${messageOf(error)}`);
  }
}

async function build(
  node: ContainerNode,
  request: CreateRequest,
  draft: Draft,
  disks: [string, string][],
  log: (line: string) => void,
): Promise<void> {
  const { vmid, template, password, sshPublicKeys } = request;
  for (const [key, value] of disks) {
    draft.options.set(key, allocated(vmid, key, value, draft, node.storages));
    node.storages.allocate(parseVolume(key, draft.options.get(key)!).volume);
  }
  const file = node.storages.filePath(template);
  if (!fs.existsSync(file)) throw failure(`can't find file '${template}'`);
  for (const [key, value] of defaults(request)) if (!draft.options.has(key)) draft.options.set(key, value);
  node.guests.write(vmid, { ...draft, options: new Map([...draft.options, ["lock", "create"]]) });
  log(`extracting archive '${file}'`);
  try {
    await node.driver.create(
      vmid,
      draft,
      {
        template: file,
        ...(password !== undefined && { password }),
        ...(sshPublicKeys !== undefined && { sshPublicKeys }),
      },
      log,
    );
  } catch (error) {
    if (error instanceof WorkerKilled) throw error;
    await node.driver.destroy(vmid, log).catch((cause: unknown) => log(`cleaning up failed: ${messageOf(cause)}`));
    throw error;
  }
  node.guests.write(vmid, draft);
}

/** PVE's defaults. PVE finds the type of system inside the template; here it is from the file name. */
function defaults({ vmid, template }: CreateRequest): [string, string][] {
  const [, name] =
    /\/(debian|devuan|ubuntu|centos|fedora|opensuse|archlinux|alpine|gentoo|nixos)\b/.exec(template) ?? [];
  return [
    ["arch", "amd64"],
    ["hostname", `CT${vmid}`],
    ["memory", "512"],
    ["swap", "512"],
    ["ostype", name ?? "unmanaged"],
  ];
}

/** @throws ApiError 500. */
export function assertPublicKeys(text: string): void {
  for (const line of text.split("\n").filter((key) => key.trim() !== "")) {
    try {
      sshpk.parseKey(line, "ssh");
    } catch {
      throw failure("SSH public key validation error");
    }
  }
}
