import { failure, messageOf, parameterError } from "../errors";
import type { GuestConfig, GuestConfigFile } from "../guestConfig";
import { assertUnchanged, isRunning } from "../guests/lifecycle";
import { sizeAfter } from "../guests/resize";
import { addUnused, nextDiskNumber, storageOf } from "../guests/volumes";
import type { VmNode } from "../node";
import type { Params } from "../schema/schema";
import { isBase } from "./clone";
import {
  driveBytes,
  drivesOf,
  isCdrom,
  isCloudInit,
  isDisk,
  parseDrive,
  printDrive,
  sized,
  volumeFormat,
  type Drive,
} from "./drives";
import { assertHoldsImages } from "./permissions";

// Changes of the disks of an existing machine.

/** A `resize` task, which itself checks whether the disk can grow. */
export function resizeVmTask(node: VmNode, user: string, params: Params): string {
  const { disk = "", size = "", digest } = params;
  const vmid = Number(params["vmid"]);
  return node.tasks.start("resize", String(vmid), user, () =>
    node.guests.withLock(vmid, async () => {
      const stored = node.guests.load(vmid);
      if (digest && digest !== stored.digest) throw failure("checksum mismatch (file change by other user?)");
      if (params["skiplock"] !== "1") node.guests.assertUnlocked(stored.file);
      const drive = existingDrive(stored.file, disk);
      if (isCdrom(drive)) throw failure("you can't resize a cdrom");
      node.access.permissions().check(user, `/storage/${storageOf(drive.file)}`, ["Datastore.AllocateSpace"]);
      const bytes = sizeAfter(driveBytes(drive), size);
      if (bytes < driveBytes(drive)) throw failure("shrinking disks is not supported");
      if (bytes === driveBytes(drive)) return;
      await node.driver.growDisk(vmid, drive.file, bytes);
      const draft = node.guests.edit(vmid);
      draft.options.set(disk, printDrive(drive, sized(drive.properties, bytes)));
      node.guests.write(vmid, draft);
    }),
  );
}

/** A `qmmove` task: moves a disk to another storage, with the machine running or not. */
export function moveDiskTask(node: VmNode, user: string, params: Params): string {
  const { disk = "", storage, format, digest } = params;
  const vmid = Number(params["vmid"]);
  if (params["target-vmid"] !== undefined) throw failure("this double cannot move a disk to another machine");
  if (storage === undefined) throw parameterError({ storage: "property is missing and it is not optional" });
  const permissions = node.access.permissions();
  permissions.check(user, `/storage/${storage}`, ["Datastore.AllocateSpace"]);
  const check = (): Drive => {
    const stored = node.guests.load(vmid);
    node.guests.assertUnlocked(stored.file);
    assertUnchanged(digest, stored.digest);
    const drive = existingDrive(stored.file, disk);
    if (isCdrom(drive) && !isCloudInit(drive)) throw failure("you can't move a cdrom");
    if (storageOf(drive.file) === storage && (format === undefined || format === volumeFormat(drive.file)))
      throw failure("you can't move to the same storage with same format");
    assertHoldsImages(node.storages, storage);
    return drive;
  };
  check();
  return node.tasks.start("qmmove", String(vmid), user, (log) =>
    node.guests.withLock(vmid, async () => {
      const drive = check();
      log(
        `copying volume '${drive.file}' from current storage '${storageOf(drive.file)}' to target storage '${storage}'`,
      );
      const draft = node.guests.edit(vmid);
      const wanted = format ?? volumeFormat(drive.file);
      const to = isCloudInit(drive)
        ? node.storages.volumeName(storage, vmid, `vm-${vmid}-cloudinit`, wanted)
        : node.storages.diskName(storage, vmid, nextDiskNumber(vmid, draft), wanted);
      try {
        node.storages.allocate(to);
        if (isDisk(drive)) await node.driver.copyDisk(vmid, { from: drive.file, to, linked: false }, log);
      } catch (error) {
        throw failure(`storage migration failed: ${messageOf(error)}`);
      }
      draft.options.set(disk, printDrive(drive, { ...drive.properties, file: to }));
      if (params["delete"] !== "1" && isDisk(drive)) addUnused(draft, drive.file);
      node.guests.write(vmid, draft);
      if (params["delete"] !== "1" || !isDisk(drive)) return;
      log(`removing source volume '${drive.file}' after successful copy`);
      await node.driver.removeDisk(vmid, drive.file);
    }),
  );
}

/** A `qmtemplate` task: the disks become bases, to which nothing writes any more. */
export async function templateTask(node: VmNode, user: string, params: Params): Promise<string> {
  const vmid = Number(params["vmid"]);
  const { disk } = params;
  const check = async () => {
    const { file } = node.guests.load(vmid);
    node.guests.assertUnlocked(file);
    if (file.snapshots.size > 0) throw failure("unable to create template, because VM contains snapshots");
    if (file.options.get("template") === "1" && disk === undefined)
      throw failure("you can't convert a template to a template");
    if (await isRunning(node, vmid)) throw failure("you can't convert a VM to template if VM is running");
  };
  await check();
  return node.tasks.start("qmtemplate", String(vmid), user, () =>
    node.guests.withLock(vmid, async () => {
      await check();
      const draft = node.guests.edit(vmid);
      draft.options.set("template", "1");
      node.guests.write(vmid, draft);
      for (const drive of drivesOf(draft)) {
        if (!isDisk(drive) || isBase(drive.file) || (disk !== undefined && disk !== drive.key)) continue;
        const base = drive.file.replace(/([:/])vm-(?=\d+-disk-\d+(\.\w+)?$)/, "$1base-");
        await node.driver.renameDisk(vmid, drive.file, base);
        draft.options.set(drive.key, printDrive(drive, { ...drive.properties, file: base }));
        node.guests.write(vmid, draft);
      }
    }),
  );
}

/** @throws ApiError 500 if linked clones on files need the disks of a template. Clones on LVM do not need them. */
export function assertNoClones(node: VmNode, vmid: number): void {
  const bases = node.kind.disks(node.guests.load(vmid).file).map(({ volid }) => volid);
  for (const other of node.guests.list().filter((id) => id !== vmid))
    for (const { volid } of node.kind.disks(node.guests.load(other).file)) {
      const base = bases.find((candidate) => volid.startsWith(`${candidate}/`));
      if (base !== undefined) throw failure(`base volume '${base}' is still in use by linked cloned`);
    }
}

function existingDrive(file: GuestConfigFile | GuestConfig, key: string): Drive {
  const text = file.options.get(key);
  if (text === undefined) throw failure(`disk '${key}' does not exist`);
  return parseDrive(key, text);
}
