import * as fs from "node:fs";
import { checkVolumeAccess } from "../guests/guestPermissions";
import { storageOf } from "../guests/volumes";
import { failure, messageOf, parameterError } from "../errors";
import type { Call, Endpoint } from "../http/endpoint";
import type { PveNode } from "../node";
import { splitList } from "../schema/formats";
import { optional, required } from "../schema/schema";
import { flag, node, optionalVmid, optionalStorage, storage } from "./parameters";

const storagePath = "/nodes/{node}/storage/{storage}";
const storageTypes = [
  ...["btrfs", "cephfs", "cifs", "dir", "esxi", "iscsi", "iscsidirect"],
  ...["lvm", "lvmthin", "nfs", "pbs", "rbd", "zfs", "zfspool"],
];
const seen = ["Datastore.Audit", "Datastore.AllocateSpace"];
const maySee = { path: "/storage/{storage}", privileges: seen, any: true } as const;
const contentType = optional("string", { format: "pve-storage-content" });
const volumePath = `${storagePath}/content/{volume}`;
const onVolume = { node, storage: optionalStorage, volume: required("string") };

/** Storages of the node and their content. */
export const storageEndpoints: readonly Endpoint[] = [
  {
    method: "GET",
    path: "/storage",
    parameters: { type: optional("string", { enum: storageTypes }) },
    permission: "all",
    handle: ({ node: pve, user, params }) =>
      visible(pve, user)
        .filter((name) => params["type"] === undefined || pve.storages.get(name).type === params["type"])
        .map((name) => storageConfig(pve, name)),
  },
  {
    method: "GET",
    path: "/storage/{storage}",
    parameters: { storage },
    permission: { path: "/storage/{storage}", privileges: ["Datastore.Allocate"] },
    handle: ({ node: pve, params }) => storageConfig(pve, params["storage"]!),
  },
  {
    method: "GET",
    path: "/nodes/{node}/storage",
    parameters: {
      ...{ node, storage: optionalStorage, enabled: flag, format: flag },
      content: optional("string", { format: "pve-storage-content-list" }),
      target: optional("string", { format: "pve-node" }),
    },
    permission: "all",
    handle: list,
  },
  {
    method: "GET",
    path: storagePath,
    parameters: { node, storage },
    permission: maySee,
    handle: () => ["content", "status", "upload", "download-url"].map((subdir) => ({ subdir })),
  },
  {
    method: "GET",
    path: `${storagePath}/status`,
    parameters: { node, storage },
    permission: maySee,
    handle: ({ node: pve, params }) => {
      if (!pve.storages.has(params["storage"]!)) throw parameterError({ storage: "No such storage." });
      return storageStatus(pve, params["storage"]!);
    },
  },
  {
    method: "GET",
    path: `${storagePath}/content`,
    parameters: { node, storage, content: contentType, vmid: optionalVmid },
    permission: maySee,
    handle: content,
  },
  { method: "GET", path: volumePath, parameters: onVolume, permission: "all", handle: readVolume },
  {
    method: "DELETE",
    path: volumePath,
    parameters: { ...onVolume, delay: optional("integer", { minimum: 1, maximum: 30 }) },
    permission: "all",
    handle: removeVolume,
  },
];

/** Whether a user may see that a storage exists. */
export function maySeeStorage(pve: PveNode, user: string, name: string): boolean {
  return pve.access.permissions().has(user, `/storage/${name}`, seen, true);
}

function visible(pve: PveNode, user: string): string[] {
  return pve.storages.names().filter((name) => maySeeStorage(pve, user, name));
}

function list({ node: pve, user, params }: Call): unknown {
  const wanted = splitList(params["content"]);
  if (params["storage"] !== undefined && !pve.storages.has(params["storage"]))
    throw parameterError({ storage: "No such storage." });
  return visible(pve, user)
    .filter((name) => params["storage"] === undefined || name === params["storage"])
    .filter((name) => wanted.length === 0 || wanted.some((kind) => pve.storages.get(name).content.includes(kind)))
    .map((name) => {
      const { total, used } = pve.storages.usage(name);
      return { storage: name, ...storageStatus(pve, name), used_fraction: total > 0 ? used / total : 0 };
    });
}

function storageStatus(pve: PveNode, name: string): Record<string, unknown> {
  const { type, content: kinds, active = true } = pve.storages.get(name);
  const { total, used, avail } = pve.storages.usage(name);
  return {
    type,
    content: [...kinds].sort().join(","),
    active: Number(active),
    enabled: 1,
    shared: 0,
    total,
    used,
    avail,
  };
}

function storageConfig(pve: PveNode, name: string): Record<string, unknown> {
  const { type, content: kinds, path } = pve.storages.get(name);
  const places = {
    dir: { path: path ?? "/var/lib/vz" },
    lvmthin: { vgname: "pve", thinpool: "data" },
    lvm: { vgname: name },
    zfspool: { pool: name },
  };
  return { storage: name, type, content: kinds.join(","), ...places[type], digest: pve.storages.digest() };
}

function content({ node: pve, user, params }: Call): unknown {
  const permissions = pve.access.permissions();
  const isAllowed = (volid: string) => {
    try {
      checkVolumeAccess({ permissions, storages: pve.storages, user }, volid);
      return true;
    } catch {
      return false;
    }
  };
  return pve.storages
    .content(params["storage"]!)
    .filter((volume) => params["content"] === undefined || volume.content === params["content"])
    .filter((volume) => params["vmid"] === undefined || volume.vmid === Number(params["vmid"]))
    .filter((volume) => isAllowed(volume.volid));
}

/** The volume in the path, whose storage must be the one before it. */
function volumeId({ params }: Call): string {
  const volume = params["volume"]!;
  const volid = volume.includes(":") ? volume : `${params["storage"]}:${volume}`;
  if (storageOf(volid) !== params["storage"]) throw parameterError({ storage: "storage does not match volume prefix" });
  return volid;
}

function readVolume(call: Call): unknown {
  const { node: pve, user } = call;
  const volid = volumeId(call);
  checkVolumeAccess({ permissions: pve.access.permissions(), storages: pve.storages, user }, volid);
  const found = pve.storages.content(storageOf(volid)).find((volume) => volume.volid === volid);
  if (!found) throw failure(`volume '${volid}' does not exist`);
  const { size, format } = found;
  return {
    path: found.vmid === undefined ? pve.storages.filePath(volid) : `/dev/pve/${volid.split(":")[1]}`,
    size,
    used: size,
    format,
  };
}

/** An `imgdel` task. It removes only files: a disk is removed with its guest. */
function removeVolume(call: Call): unknown {
  const { node: pve, user } = call;
  const volid = volumeId(call);
  pve.access.permissions().check(user, `/storage/${storageOf(volid)}`, ["Datastore.Allocate"]);
  const { vmid } = pve.storages.describe(volid);
  if (vmid !== undefined) throw failure(`disk '${volid}' belongs to guest ${vmid}`);
  const file = pve.storages.filePath(volid);
  return pve.tasks.start("imgdel", storageOf(volid), user, async (log) => {
    try {
      fs.unlinkSync(file);
    } catch (error) {
      throw failure(`unlink '${file}' failed - ${messageOf(error)}`);
    }
    log(`Removed volume '${volid}'`);
  });
}
