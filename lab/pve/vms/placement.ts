import * as fs from "node:fs";
import type { NewDisk, TaskLog } from "../driver";
import { failure } from "../errors";
import type { Draft } from "../guests/draft";
import { nextDiskNumber } from "../guests/volumes";
import type { Params } from "../schema/schema";
import { imageBytes } from "../storage/image";
import type { StorageStore } from "../storage/storageStore";
import {
  driveBytes,
  drivesOf,
  isCdrom,
  isCloudInit,
  newDrive,
  parseDrive,
  printDrive,
  sized,
  type Drive,
} from "./drives";
import { isDriveKey } from "./options";

export interface Placement {
  readonly vmid: number;
  readonly storages: StorageStore;
  /** The storage of drives that name none. */
  readonly storage?: string;
  readonly log: TaskLog;
}

/**
 * `create_disks`: takes the space of the requested drives, and returns for each the value that PVE stores.
 *
 * @param draft the machine's current configuration; new drives get other names than its drives.
 * @returns values by key, and the disks that the driver has to make.
 */
export function placeDrives(
  asked: Params,
  draft: Draft,
  placement: Placement,
): { values: Map<string, string>; disks: NewDisk[] } {
  const values = new Map<string, string>();
  const disks: NewDisk[] = [];
  for (const [key, text] of Object.entries(asked).sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (!isDriveKey(key)) continue;
    const taken: Draft = { ...draft, options: new Map([...draft.options, ...values]) };
    const { value, disk } = place(parseDrive(key, text), taken, placement);
    values.set(key, value);
    if (disk) disks.push(disk);
    if (disk || value.includes("cloudinit")) placement.log(`${key}: successfully created disk '${value}'`);
  }
  return { values, disks };
}

function place(drive: Drive, draft: Draft, placement: Placement): { value: string; disk?: NewDisk } {
  const { vmid, storages } = placement;
  const { properties, file } = drive;
  if (file === "none" || file === "cdrom") {
    const { size: _, ...stored } = properties;
    return { value: printDrive(drive, stored) };
  }
  const asksForCloudInit = /^(?:([^:]+):)?cloudinit$/.exec(file);
  if (asksForCloudInit) {
    const storage = storageFor(asksForCloudInit[1], placement);
    const format = properties["format"] ?? (storages.get(storage).type === "dir" ? "qcow2" : "raw");
    assertNoCloudInit(draft, drive.key);
    const volid = storages.volumeName(storage, vmid, `vm-${vmid}-cloudinit`, format);
    storages.allocate(volid);
    return { value: printDrive(drive, { ...properties, file: volid, media: "cdrom" }) };
  }
  const wanted = isCdrom(drive) ? undefined : newDrive(file);
  if (!wanted) return { value: printDrive(drive, sized(properties, existingBytes(drive, draft, storages))) };
  const storage = storageFor(wanted.storage, placement);
  const source = properties["import-from"];
  const image = source === undefined ? undefined : imageFile(source, storages);
  const bytes = image === undefined ? (fixedBytes(drive) ?? wanted.bytes) : imageBytes(image);
  const volid = storages.diskName(storage, vmid, nextDiskNumber(vmid, draft), properties["format"]);
  storages.allocate(volid);
  const value = printDrive(drive, sized({ ...properties, file: volid }, bytes));
  return { value, disk: { volid, bytes, ...(image !== undefined && { image }) } };
}

function storageFor(named: string | undefined, { storage }: Placement): string {
  const found = named ?? storage;
  if (found === undefined) throw failure("no storage ID specified (and no default storage)");
  return found;
}

/** Size of the disks of the firmware's variables and the TPM's state, which is fixed. */
function fixedBytes({ key, properties }: Drive): number | undefined {
  if (key === "tpmstate0") return 4 * 1024 ** 2;
  if (key === "efidisk0") return properties["efitype"] === "4m" ? 528 * 1024 : 128 * 1024;
  return undefined;
}

function assertNoCloudInit(draft: Draft, key: string): void {
  const other = [...drivesOf(draft), ...drivesOf(draft.pending)].find(
    (drive) => drive.key !== key && isCloudInit(drive),
  );
  if (other) throw failure(`${key} - cloud-init drive is already attached at '${other.key}'`);
}

/** Path of the image for a new disk. */
function imageFile(source: string, storages: StorageStore): string {
  if (!source.startsWith("/") && storages.describe(source).content !== "import")
    throw failure(`cannot import from '${source}' - this double copies images, not disks of other machines`);
  const file = source.startsWith("/") ? source : storages.filePath(source);
  if (!fs.existsSync(file)) throw failure(`cannot import from '${source}' - volume '${source}' does not exist`);
  return file;
}

/** Size of an existing volume: one that the machine has or had, or a CD's image. */
function existingBytes(drive: Drive, draft: Draft, storages: StorageStore): number {
  const own = [...drivesOf(draft), ...drivesOf(draft.pending)].find(({ file }) => file === drive.file);
  // Another machine with the same volume may have enlarged it.
  if (own) return Math.max(driveBytes(own), storedBytes(drive.file, storages) ?? 0);
  const stated = driveBytes(drive);
  const isUnused = [...draft.options.values()].includes(drive.file);
  if (isUnused || drive.file.startsWith("/")) return stated;
  const found = storedBytes(drive.file, storages);
  if (found === undefined) throw failure(`volume ${drive.file} does not exist`);
  return found;
}

function storedBytes(file: string, storages: StorageStore): number | undefined {
  const [storage = ""] = file.split(":");
  return storages.content(storage).find(({ volid }) => volid === file)?.size;
}
