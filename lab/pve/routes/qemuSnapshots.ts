import { typedOptions } from "../guests/reading";
import type { Call, Endpoint } from "../http/endpoint";
import { readVmOptions } from "../vms/options";
import { deleteSnapshotTask, listSnapshots, requireSnapshot, rollbackTask, snapshotTask } from "../vms/snapshots";
import { flag, onGuest, snapshotName, text, vmidOf } from "./parameters";

const snapshotsPath = "/nodes/{node}/qemu/{vmid}/snapshot";
const snapshotPath = `${snapshotsPath}/{snapname}`;
const onSnapshot = { ...onGuest, snapname: { ...snapshotName, optional: false } };
const mayTake = { path: "/vms/{vmid}", privileges: ["VM.Snapshot"] };

/** Snapshots of virtual machines. */
export const qemuSnapshotEndpoints: readonly Endpoint[] = [
  {
    method: "GET",
    path: snapshotsPath,
    parameters: onGuest,
    permission: { path: "/vms/{vmid}", privileges: ["VM.Audit"] },
    handle: (call) => listSnapshots(call.node.qemu, vmidOf(call)),
  },
  {
    method: "POST",
    path: snapshotsPath,
    parameters: { ...onSnapshot, description: text, vmstate: flag },
    permission: mayTake,
    handle: ({ node, user, params }) => snapshotTask(node.qemu, user, params),
  },
  {
    method: "DELETE",
    path: snapshotPath,
    parameters: { ...onSnapshot, force: flag },
    permission: mayTake,
    handle: ({ node, user, params }) => deleteSnapshotTask(node.qemu, user, params),
  },
  {
    method: "GET",
    path: `${snapshotPath}/config`,
    parameters: onSnapshot,
    permission: { path: "/vms/{vmid}", privileges: ["VM.Snapshot", "VM.Snapshot.Rollback", "VM.Audit"], any: true },
    handle: readSnapshot,
  },
  {
    method: "POST",
    path: `${snapshotPath}/rollback`,
    parameters: { ...onSnapshot, start: flag },
    permission: { path: "/vms/{vmid}", privileges: ["VM.Snapshot", "VM.Snapshot.Rollback"], any: true },
    handle: ({ node, user, params }) => rollbackTask(node.qemu, user, params),
  },
];

function readSnapshot(call: Call): unknown {
  const { file } = call.node.qemu.guests.load(vmidOf(call));
  const { options } = requireSnapshot(file.snapshots, call.params["snapname"]!);
  return typedOptions(readVmOptions, options);
}
