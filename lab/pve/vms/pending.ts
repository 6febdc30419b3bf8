import { assertUnprotected, type Draft } from "../guests/draft";
import { cancelDeletion, dropUnchanged, type UpdateContext } from "../guests/update";
import { addUnused } from "../guests/volumes";
import { parsePropertyString, type Properties } from "../schema/propertyString";
import { splitList } from "../schema/formats";
import { isCdrom, isCloudInit, parseDrive } from "./drives";
import { agentFormat, cloudInitOptions, isDriveKey, vmNetworkFormat } from "./options";

// What `PVE::QemuServer` does with changes: each goes to the pending section. A stopped machine then gets all of them, a
// running one those that its hotplug features allow.

/** Options that have no effect on a running machine, and so are applied at once. */
const fastOptions = new Set([
  ...["description", "hookscript", "lock", "migrate_downtime", "migrate_speed", "name", "onboot", "protection"],
  ...["shares", "startup", "tags", "vmstatestorage", ...Object.keys(cloudInitOptions)],
]);

/** `vmconfig_apply_pending`: applies everything to a stopped machine. */
export function applyPendingToVm(draft: Draft, _context: UpdateContext): Record<string, string> {
  for (const key of [...draft.pending.deletions]) remove(draft, key);
  dropUnchanged(draft);
  for (const [key, value] of [...draft.pending.options]) {
    const old = draft.options.get(key);
    if (old !== undefined && isDriveKey(key) && parseDrive(key, old).file !== parseDrive(key, value).file)
      release(draft, key, old);
    take(draft, key, value);
  }
  return {};
}

/**
 * `vmconfig_hotplug_pending`: applies what a running machine accepts without a restart.
 *
 * @returns the options that changed, for the driver.
 */
export function hotplugIntoVm(draft: Draft, touched: ReadonlySet<string>): string[] {
  const features = new Set(splitList(hotplugFeatures(draft)));
  const changed: string[] = [];
  for (const key of draft.pending.deletions.filter((name) => touched.has(name))) {
    if (!isRemovable(draft, key, features)) continue;
    recordForCloudInit(draft, key, draft.options.get(key), undefined);
    remove(draft, key);
    changed.push(key);
  }
  for (const [key, value] of [...draft.pending.options]) {
    const isFast = fastOptions.has(key);
    if (!isFast && (!touched.has(key) || !isPluggable(draft, key, value, features))) continue;
    const old = draft.options.get(key);
    recordForCloudInit(draft, key, old, value);
    if (old !== undefined && isDriveKey(key) && parseDrive(key, old).file !== parseDrive(key, value).file)
      release(draft, key, old);
    take(draft, key, value);
    changed.push(key);
  }
  return changed.sort();
}

/** Puts the deletion of an option into the pending section. False if there is nothing to delete. */
export function queueDeletion(draft: Draft, key: string): boolean {
  if (!draft.options.has(key) && !draft.pending.options.has(key)) return false;
  if (isDriveKey(key)) assertUnprotected(draft, `can't remove drive '${key}'`);
  forget(draft, key);
  cancelDeletion(draft, key);
  draft.pending.deletions.push(key);
  draft.pending.deletions.sort();
  return true;
}

export function queueOption(draft: Draft, key: string, value: string): void {
  forget(draft, key, value);
  draft.pending.options.set(key, value);
  cancelDeletion(draft, key);
}

/** Drops a pending change. A disk that was made for it becomes unused, unless `next` has the same disk. */
function forget(draft: Draft, key: string, next?: string): void {
  const queued = draft.pending.options.get(key);
  draft.pending.options.delete(key);
  if (queued === undefined || !isDriveKey(key)) return;
  const isKept = next !== undefined && parseDrive(key, next).file === parseDrive(key, queued).file;
  if (!isKept) release(draft, key, queued);
}

/** `vmconfig_register_unused_drive`: a removed disk becomes unused; a cloud-init drive is dropped. */
function release(draft: Draft, key: string, text: string): void {
  const drive = parseDrive(key, text);
  if (isCloudInit(drive)) draft.cloudInit.clear();
  else if (!isCdrom(drive) && drive.file.includes(":")) addUnused(draft, drive.file);
}

function remove(draft: Draft, key: string): void {
  const value = draft.options.get(key);
  draft.options.delete(key);
  cancelDeletion(draft, key);
  if (value !== undefined && isDriveKey(key)) release(draft, key, value);
}

function take(draft: Draft, key: string, value: string): void {
  draft.options.set(key, value);
  draft.pending.options.delete(key);
  // A volume that is in use again is no longer listed as unused.
  if (!isDriveKey(key)) return;
  for (const [name, volid] of [...draft.options])
    if (/^unused\d+$/.test(name) && volid === parseDrive(key, value).file) draft.options.delete(name);
}

function hotplugFeatures({ options }: Draft): string {
  const value = options.get("hotplug") ?? "1";
  return value === "1" ? "network,disk,usb" : value;
}

function isRemovable(draft: Draft, key: string, features: ReadonlySet<string>): boolean {
  if (/^net\d+$/.test(key)) return features.has("network");
  if (isDriveKey(key)) return features.has("disk") && !/^(efidisk|ide|sata|tpmstate)/.test(key);
  if (key === "hotplug") return !/cpu|memory/.test(draft.options.get(key) ?? "");
  if (key === "balloon") return draft.options.get(key) !== "0";
  if (key === "vcpus") return features.has("cpu");
  if (key === "memory") return features.has("memory");
  return fastOptions.has(key) || ["cpuunits", "cpulimit"].includes(key);
}

function isPluggable(draft: Draft, key: string, value: string, features: ReadonlySet<string>): boolean {
  const old = draft.options.get(key);
  if (/^net\d+$/.test(key)) return features.has("network") || (old !== undefined && isSameLink(old, value));
  if (isDriveKey(key)) return isPluggableDrive(key, value, old, features.has("disk"));
  if (key === "hotplug") return !/cpu|memory/.test(`${value} ${old ?? ""}`);
  if (key === "balloon") return (old === "0") === (value === "0");
  if (key === "vcpus") return features.has("cpu");
  if (key === "memory") return features.has("memory");
  if (key === "agent") return old !== undefined && agentDevice(old) === agentDevice(value);
  return ["cpuunits", "cpulimit"].includes(key);
}

/** A CD and the limits of a disk can always change live; a new or another disk if its bus supports hotplug. */
function isPluggableDrive(key: string, value: string, old: string | undefined, hotplug: boolean): boolean {
  if (/^(efidisk|tpmstate)/.test(key)) return false;
  const drive = parseDrive(key, value);
  if (old !== undefined) {
    const before = parseDrive(key, old);
    if (isCdrom(before)) return true;
    if (before.file === drive.file)
      return !fixedParts.some((part) => differs(before.properties, drive.properties, part));
  }
  return hotplug && !/^(ide|sata)/.test(key);
}

/** Parts of a disk that take effect when the machine starts. */
const fixedParts = ["aio", "discard", "iothread", "queues", "product", "cache", "ssd", "vendor", "ro"];

/** Whether a network can change without unplugging its device. */
function isSameLink(old: string, value: string): boolean {
  const [before, after] = [old, value].map((text) => parsePropertyString(text, vmNetworkFormat)) as [
    Properties,
    Properties,
  ];
  return !["model", "macaddr", "queues", "mtu"].some((part) => differs(before, after, part));
}

/** The parts of `agent` that affect the device: whether there is one, and its type. */
function agentDevice(text: string): string {
  const { fstrim_cloned_disks: _, ...device } = parsePropertyString(text, agentFormat);
  return device["enabled"] === "1" ? JSON.stringify(Object.entries(device).sort()) : "";
}

function differs(a: Properties, b: Properties, part: string): boolean {
  return (a[part] ?? "") !== (b[part] ?? "");
}

/** `cloudinit_record_changed`: keeps the values in the drive of a running machine until the drive is written again. */
function recordForCloudInit(draft: Draft, key: string, old: string | undefined, value: string | undefined): void {
  if (!(key in cloudInitOptions) && key !== "name" && !/^net\d+$/.test(key)) return;
  if (![...draft.options].some(([name, text]) => isDriveKey(name) && isCloudInit(parseDrive(name, text)))) return;
  const record = draft.cloudInit;
  const added = new Set(splitList(record.get("added")));
  const recorded = record.get(key);
  if (value !== undefined && value === recorded) record.delete(key);
  else if (recorded === undefined && !added.has(key)) {
    if (old !== undefined) record.set(key, old);
    else if (value !== undefined) added.add(key);
  } else if (value === undefined) added.delete(key);
  if (added.size > 0) record.set("added", [...added].sort().join(","));
  else record.delete("added");
}
