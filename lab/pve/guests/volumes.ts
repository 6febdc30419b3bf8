import { failure } from "../errors";
import type { GuestConfig } from "../guestConfig";
import { parsePropertyString, printPropertyString, type Properties } from "../schema/propertyString";
import { formatSize, parseSize } from "../schema/sizes";
import type { StorageStore } from "../storage/storageStore";
import type { Draft } from "./draft";
import type { GuestDisk } from "./kinds";
import { isVolumeKey, mountPointFormat, rootfsFormat } from "./options";

/** A disk, or a path of the host, in a guest's configuration. */
export interface Volume {
  readonly properties: Properties;
  /** What is mounted: `local-lvm:vm-101-disk-0`, or a path of the host. */
  readonly volume: string;
  readonly type: "volume" | "bind" | "device";
}

/** `local-lvm:8`: a new disk of 8 GiB. */
const newDiskPattern = /^([^:\s]+):(\d+(?:\.\d+)?)$/;

export function parseVolume(key: string, text: string): Volume {
  const properties = parsePropertyString(text, key === "rootfs" ? rootfsFormat : mountPointFormat, key);
  const volume = properties["volume"]!;
  const type = volume.startsWith("/dev/") ? "device" : volume.startsWith("/") ? "bind" : "volume";
  return { properties, volume, type };
}

/** The storage and size of a disk that must be made; undefined if the volume exists. */
export function newDisk(volume: string): { storage: string; bytes: number } | undefined {
  const [, storage, gibibytes] = newDiskPattern.exec(volume) ?? [];
  if (!storage || !gibibytes) return undefined;
  return { storage, bytes: Math.trunc(Number(gibibytes) * 1024) * 1024 ** 2 };
}

/** Storage of a volume ID. */
export function storageOf(volume: string): string {
  const [, storage] = /^([a-z][a-z0-9\-_.]*[a-z0-9]):.+$/i.exec(volume) ?? [];
  if (!storage) throw failure(`unable to parse volume ID '${volume}'`);
  return storage;
}

/** Size in bytes from the configuration; 4 GiB by default, as PVE shows. */
export function volumeBytes(volume: Volume): number {
  return parseSize(volume.properties["size"] ?? "4G") ?? 0;
}

/** Every disk of a guest by key, those that wait for the next start included. */
export function volumesOf(config: GuestConfig): [key: string, volume: Volume][] {
  return [...config.options]
    .filter(([key]) => isVolumeKey(key))
    .map(([key, text]) => [key, parseVolume(key, text)] as [string, Volume]);
}

/** Disks as their storages list them, without paths of the host. */
export function containerDisks(config: GuestConfig): GuestDisk[] {
  return volumesOf(config)
    .filter(([, { type }]) => type === "volume")
    .map(([, volume]) => ({ volid: volume.volume, bytes: volumeBytes(volume), content: "rootdir", format: "raw" }));
}

/**
 * Names a new disk if the value asks for one, and prints the value as PVE stores it: the volume first, with its last known
 * size.
 */
export function allocated(vmid: number, key: string, text: string, draft: Draft, storages: StorageStore): string {
  const volume = parseVolume(key, text);
  const wanted = volume.type === "volume" ? newDisk(volume.volume) : undefined;
  const properties = { ...volume.properties };
  if (wanted) {
    properties["volume"] = storages.diskName(wanted.storage, vmid, nextDiskNumber(vmid, draft));
    properties["size"] = formatSize(wanted.bytes);
  } else if (properties["size"]) properties["size"] = formatSize(parseSize(properties["size"]) ?? 0);
  return printVolume(key, properties);
}

/** The value of a disk that is a copy of `volume` with a new name, on `storage` or the original's storage. */
export function copied(
  vmid: number,
  key: string,
  volume: Volume,
  storage: string | undefined,
  draft: Draft,
  storages: StorageStore,
): string {
  const target = storage ?? storageOf(volume.volume);
  if (!storages.get(target).content.includes("rootdir"))
    throw failure(`content type 'rootdir' is not available or configured on storage '${target}'`);
  return printVolume(key, {
    ...volume.properties,
    volume: storages.diskName(target, vmid, nextDiskNumber(vmid, draft)),
    size: formatSize(volumeBytes(volume)),
  });
}

export function printVolume(key: string, properties: Properties): string {
  return printPropertyString(properties, key === "rootfs" ? rootfsFormat : mountPointFormat);
}

/** Keeps a disk that lost its mount point as `unusedN`. */
export function addUnused(draft: Draft, volume: string): void {
  const values = [...draft.options.values()];
  if (values.includes(volume)) return;
  let index = 0;
  while (draft.options.has(`unused${index}`)) index += 1;
  draft.options.set(`unused${index}`, volume);
}

/** The lowest number that no disk of the guest has. */
export function nextDiskNumber(vmid: number, draft: Draft): number {
  const values = [draft, draft.pending, ...draft.snapshots.values()].flatMap(({ options }) => [...options.values()]);
  const used = new Set(
    values.flatMap((value) =>
      [...value.matchAll(new RegExp(`(?:vm|base)-${vmid}-disk-(\\d+)`, "g"))].map((match) => match[1]),
    ),
  );
  let number = 0;
  while (used.has(String(number))) number += 1;
  return number;
}
