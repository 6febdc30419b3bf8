import type { Endpoint } from "../http/endpoint";
import { optional, required } from "../schema/schema";
import { cloneVm } from "../vms/clone";
import { moveDiskTask, resizeVmTask, templateTask } from "../vms/disks";
import { driveNames, unusedNames } from "../vms/options";
import {
  checkMayClone,
  digest,
  flag,
  onGuest,
  optionalStorage,
  optionalVmid,
  skipsLock,
  snapshotName,
  text,
  vmid,
} from "./parameters";

const vmPath = "/nodes/{node}/qemu/{vmid}";
const diskFormat = optional("string", { enum: ["raw", "qcow2", "vmdk"] });
const ofDisk = { path: "/vms/{vmid}", privileges: ["VM.Config.Disk"] };

/** Clones of virtual machines, templates, and changes of disks. */
export const qemuDiskEndpoints: readonly Endpoint[] = [
  {
    method: "POST",
    path: `${vmPath}/clone`,
    parameters: {
      ...onGuest,
      newid: vmid,
      name: optional("string", { format: "dns-name" }),
      description: text,
      pool: optional("string", { format: "pve-poolid" }),
      snapname: snapshotName,
      storage: optionalStorage,
      format: diskFormat,
      full: flag,
      target: optional("string", { format: "pve-node" }),
      bwlimit: optional("integer", { minimum: 0 }),
    },
    permission: checkMayClone,
    handle: ({ node, user, params }) => cloneVm(node.qemu, user, params),
  },
  {
    method: "POST",
    path: `${vmPath}/template`,
    parameters: { ...onGuest, disk: optional("string", { enum: driveNames }) },
    permission: { path: "/vms/{vmid}", privileges: ["VM.Allocate"] },
    handle: ({ node, user, params }) => templateTask(node.qemu, user, params),
  },
  {
    method: "PUT",
    path: `${vmPath}/resize`,
    parameters: {
      ...{ ...onGuest, skiplock: flag, digest },
      disk: required("string", { enum: driveNames }),
      size: required("string", { pattern: /^\+?\d+(\.\d+)?[KMGT]?$/ }),
    },
    permission: ofDisk,
    handle: (call) => {
      skipsLock(call);
      return resizeVmTask(call.node.qemu, call.user, call.params);
    },
  },
  {
    method: "POST",
    path: `${vmPath}/move_disk`,
    parameters: {
      ...onGuest,
      disk: required("string", { enum: [...driveNames, ...unusedNames] }),
      storage: optionalStorage,
      format: diskFormat,
      delete: flag,
      ...{ digest, "target-digest": digest, "target-vmid": optionalVmid },
      "target-disk": optional("string", { enum: [...driveNames, ...unusedNames] }),
      bwlimit: optional("integer", { minimum: 0 }),
    },
    permission: ofDisk,
    handle: ({ node, user, params }) => moveDiskTask(node.qemu, user, params),
  },
];
