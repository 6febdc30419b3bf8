import { root, type Permissions } from "../access/permissions";
import { failure, parameterError, permissionDenied } from "../errors";
import { checkBridge, checkVolumeAccess } from "../guests/guestPermissions";
import { storageOf } from "../guests/volumes";
import { parsePropertyString } from "../schema/propertyString";
import type { Params } from "../schema/schema";
import type { StorageStore } from "../storage/storageStore";
import { isCdrom, isCloudInit, newDrive, parseDrive, type Drive } from "./drives";
import { cloudInitOptions, isDriveKey, vmNetworkFormat } from "./options";

export interface VmCheck {
  readonly permissions: Permissions;
  readonly storages: StorageStore;
  readonly user: string;
  readonly vmid: number;
  /** The pool that a new machine goes to. */
  readonly pool?: string;
}

/** Options by the privilege that changing them needs: `PVE::API2::Qemu`'s tables. */
const privileges: Readonly<Record<string, readonly string[]>> = {
  "VM.Config.CPU": ["cores", "cpu", "cpulimit", "cpuunits", "numa", "smp", "sockets", "vcpus"],
  "VM.Config.Memory": ["memory", "balloon", "shares", "allow-ksm"],
  "VM.Config.HWType": [
    ...["acpi", "hotplug", "kvm", "machine", "scsihw", "smbios1", "tablet", "vga", "watchdog", "audio0", "rng0"],
  ],
  "VM.Config.Options": [
    ...["agent", "autostart", "bios", "description", "keyboard", "localtime", "migrate_downtime", "migrate_speed"],
    ...["name", "onboot", "ostype", "protection", "reboot", "startdate", "startup", "tdf", "template"],
  ],
  "VM.PowerMgmt": ["freeze"],
  "VM.Config.Disk": ["boot", "bootdisk", "vmstatestorage"],
};
const privilegeOf = new Map(
  Object.entries(privileges).flatMap(([name, keys]) => keys.map((key) => [key, name] as const)),
);

/**
 * Who may change which option: `check_vm_modify_config_perm` and its checks of values. Only `root@pam` itself is not
 * checked.
 *
 * @throws ApiError 403, or 500 for options that only root@pam may change.
 */
export function checkVmOptions(check: VmCheck, set: Params, deletions: readonly string[] = []): void {
  const { permissions, user, vmid, pool } = check;
  if (user === root) return;
  const need = (...names: string[]) => permissions.checkGuest(user, vmid, pool, names);
  for (const key of [...deletions, ...Object.keys(set)]) {
    const value = set[key];
    if (isDriveKey(key) || key === "cdrom" || key === "tags" || /^unused\d+$/.test(key)) continue;
    if (/^serial\d+$/.test(key)) {
      if (value !== undefined && value !== "socket")
        throw failure(`only root can set '${key}' config for real devices`);
      need("VM.Config.HWType");
    } else if (/^(usb|hostpci|virtiofs)\d+$/.test(key)) {
      if (value?.includes("host=")) throw failure(`only root can set '${key}' config for real devices`);
      need(key.startsWith("virtiofs") ? "VM.Config.Disk" : "VM.Config.HWType");
    } else if (/^numa\d+$/.test(key)) need("VM.Config.CPU");
    else if (/^net\d+$/.test(key)) need("VM.Config.Network");
    else if (key in cloudInitOptions) checkAny(check, ["VM.Config.Cloudinit", "VM.Config.Network"]);
    else {
      const privilege = privilegeOf.get(key);
      // `args`, `hookscript`, `lock` and the like.
      if (privilege === undefined) throw failure(`only root can set '${key}' config`);
      need(privilege);
      if (key === "startup") permissions.check(user, "/", ["Sys.Modify"]);
    }
  }
  for (const [key, value] of Object.entries(set)) if (/^net\d+$/.test(key)) checkVmBridge(check, value);
}

/** Checks the host's bridge in a machine's network. */
export function checkVmBridge({ permissions, user }: Pick<VmCheck, "permissions" | "user">, text: string): void {
  if (user !== root) checkBridge({ permissions, user }, parsePropertyString(text, vmNetworkFormat));
}

/** Checks who may add or remove a drive. */
export function checkDrive({ permissions, user, vmid }: VmCheck, drive: Drive): void {
  const needed = isCloudInit(drive)
    ? ["VM.Config.Cloudinit", "VM.Config.CDROM"]
    : [isCdrom(drive) ? "VM.Config.CDROM" : "VM.Config.Disk"];
  permissions.checkGuest(user, vmid, undefined, needed);
}

/**
 * `check_storage_access`: checks the rights on the storages of new disks, and on existing volumes and images.
 *
 * @param storage the default for disks that name none.
 */
export function checkDriveStorages(check: VmCheck, set: Params, storage?: string): void {
  const { permissions, storages, user } = check;
  for (const [key, text] of Object.entries(set).sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (!isDriveKey(key)) continue;
    const drive = parseDrive(key, text);
    const wanted = newDrive(drive.file);
    const source = drive.properties["import-from"];
    if (source !== undefined && (wanted?.bytes ?? 1) !== 0)
      throw parameterError({
        [key]: "'import-from' requires special syntax - use <storage ID>:0,import-from=<source>",
      });
    if (drive.file === "none" || /(^|:)cloudinit$/.test(drive.file)) continue;
    if (drive.file === "cdrom") permissions.check(user, "/", ["Sys.Console"]);
    else if (wanted && !isCdrom(drive)) {
      const target = wanted.storage ?? storage;
      if (target === undefined) throw failure("no storage ID specified (and no default storage)");
      permissions.check(user, `/storage/${target}`, ["Datastore.AllocateSpace"]);
      assertHoldsImages(storages, target);
    } else checkNamedVolume(check, key, drive);
    if (source !== undefined) checkImportSource(check, key, source);
  }
}

/** @throws ApiError 400. */
export function assertHoldsImages(storages: StorageStore, storage: string): void {
  if (!storages.get(storage).content.includes("images"))
    throw parameterError({ storage: `storage '${storage}' does not support vm images` });
}

function checkNamedVolume(check: VmCheck, key: string, drive: Drive): void {
  if (drive.file.startsWith("/")) {
    if (check.user !== root) throw permissionDenied("Only root can pass arbitrary filesystem paths.");
    return;
  }
  checkVolumeAccess(check, drive.file);
  const { content } = check.storages.describe(drive.file);
  if (content !== "images" && content !== "iso")
    throw parameterError({ [key]: "content type needs to be 'images' or 'iso'" });
  if (content === "iso" && !isCdrom(drive))
    throw parameterError({ [key]: "explicit 'media=cdrom' is required for iso images" });
}

function checkImportSource(check: VmCheck, key: string, source: string): void {
  const { permissions, storages, user } = check;
  if (source.startsWith("/")) {
    if (user !== root) throw failure("Only root can pass arbitrary filesystem paths.");
    return;
  }
  storageOf(source);
  const { content, vmid } = storages.describe(source);
  if (content !== "images" && content !== "import")
    throw parameterError({ [key]: `${source} has wrong type '${content}' - needs to be 'images' or 'import'` });
  if (vmid !== undefined) permissions.check(user, `/vms/${vmid}`, ["VM.Clone"]);
  else checkVolumeAccess(check, source);
}

function checkAny({ permissions, user, vmid, pool }: VmCheck, names: readonly string[]): void {
  if (pool !== undefined && permissions.has(user, `/pool/${pool}`, names, true)) return;
  permissions.check(user, `/vms/${vmid}`, names, true);
}
