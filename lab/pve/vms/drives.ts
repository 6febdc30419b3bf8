import { createHash, randomBytes } from "node:crypto";
import { parameterError } from "../errors";
import type { GuestConfig } from "../guestConfig";
import type { GuestDisk } from "../guests/kinds";
import { randomMac } from "../guests/mac";
import { parsePropertyString, printPropertyString, type Properties } from "../schema/propertyString";
import { formatSize, parseSize } from "../schema/sizes";
import { driveFormats, driveNames, isDriveKey, vmNetworkFormat } from "./options";

/** A drive of a virtual machine: a disk, cloud-init's drive, or a CD drive with or without an image. */
export interface Drive {
  readonly key: string;
  readonly properties: Properties;
  /** `local-lvm:vm-101-disk-0`, `local-lvm:8` for a disk to be made, `none`. */
  readonly file: string;
}

export const cloudInitBytes = 4 * 1024 ** 2;

/** @throws ApiError 400 if the text is no drive. */
export function parseDrive(key: string, text: string): Drive {
  try {
    const properties = parsePropertyString(text, driveFormats[key.replace(/\d+$/, "")]!, key);
    return { key, properties, file: properties["file"]! };
  } catch {
    throw parameterError({ [key]: "unable to parse drive options" });
  }
}

/** The drive as PVE stores it, without parameters that are needed only to make it. */
export function printDrive({ key }: Drive, properties: Properties): string {
  const { "import-from": _source, format: _format, ...stored } = properties;
  return printPropertyString(stored, driveFormats[key.replace(/\d+$/, "")]!);
}

/** `local-lvm:8`, or only a size, for the default storage. */
export function newDrive(file: string): { storage?: string; bytes: number } | undefined {
  const [, storage, gibibytes] = /^(?:([^/:\s]+):)?(\d+(?:\.\d+)?)$/.exec(file) ?? [];
  if (gibibytes === undefined) return undefined;
  return { ...(storage !== undefined && { storage }), bytes: Math.trunc(Number(gibibytes) * 1024) * 1024 ** 2 };
}

/** Whether it is a cloud-init drive: `local-lvm:cloudinit` makes one, `local-lvm:vm-101-cloudinit` exists. */
export function isCloudInit({ file }: Drive): boolean {
  return /[:/](?:vm-\d+-)?cloudinit(?:\.(raw|qcow2))?$/.test(file);
}

export function isCdrom({ properties }: Drive): boolean {
  return properties["media"] === "cdrom";
}

/** A disk whose content is the machine's own: neither a CD nor cloud-init's. */
export function isDisk(drive: Drive): boolean {
  return !isCdrom(drive) && !isCloudInit(drive);
}

export function driveBytes({ properties }: Drive): number {
  return parseSize(properties["size"] ?? "0") ?? 0;
}

/** Every drive of a machine by key. */
export function drivesOf({ options }: GuestConfig): Drive[] {
  return [...options].filter(([key]) => isDriveKey(key)).map(([key, text]) => parseDrive(key, text));
}

/** Format of a volume; that of a file is in its name. */
export function volumeFormat(volid: string): string {
  return /\.(raw|qcow2|vmdk)$/.exec(volid)?.[1] ?? "raw";
}

/** Disks as their storages list them, the cloud-init drive included. */
export function vmDisks(config: GuestConfig): GuestDisk[] {
  const drives = drivesOf(config).filter((drive) => drive.file.includes(":") && (isDisk(drive) || isCloudInit(drive)));
  const volumes = drives.map((drive) => ({
    volid: drive.file,
    bytes: isCloudInit(drive) ? cloudInitBytes : driveBytes(drive),
  }));
  const unused = [...config.options]
    .filter(([key]) => /^unused\d+$/.test(key))
    .map(([, volid]) => ({ volid, bytes: 0 }));
  return [...volumes, ...unused].map(({ volid, bytes }) => ({
    ...{ volid, bytes, content: "images" as const, format: volumeFormat(volid) },
  }));
}

/** The disk from which a machine boots by its `boot`. */
export function bootDrive(config: GuestConfig): Drive | undefined {
  const order =
    /(?:^|,)order=([^,]+)/.exec(config.options.get("boot") ?? "")?.[1] ?? config.options.get("bootdisk") ?? "";
  const drives = order.split(";").flatMap((key) => drivesOf(config).find((drive) => drive.key === key) ?? []);
  return drives.find((drive) => !isCdrom(drive));
}

/** `get_default_bootdevices`: the first disk, the first CD drive, the first network. */
export function defaultBoot(config: GuestConfig): string {
  const drives = driveNames.flatMap((key) => drivesOf(config).filter((drive) => drive.key === key));
  const bootable = drives.filter(({ key }) => !/^(efidisk|tpmstate)/.test(key));
  const network = [...config.options.keys()].filter((key) => /^net\d+$/.test(key)).sort()[0];
  const devices = [bootable.find((drive) => !isCdrom(drive))?.key, bootable.find(isCdrom)?.key, network];
  const order = devices.filter((device) => device !== undefined).join(";");
  return order ? `order=${order}` : "";
}

/** A machine's network with a MAC address: the one that it has, or a new one. */
export function withMac(text: string, isNew = false): string {
  const network = parsePropertyString(text, vmNetworkFormat);
  const macaddr = isNew ? undefined : network["macaddr"];
  return printPropertyString({ ...network, macaddr: macaddr ?? randomMac() }, vmNetworkFormat);
}

/** A drive's properties with its size. */
export function sized(properties: Properties, bytes: number): Properties {
  return { ...properties, size: formatSize(bytes) };
}

export function randomUuid(): string {
  return [8, 4, 4, 4, 12].map((length) => randomBytes(6).toString("hex").slice(0, length)).join("-");
}

/** SHA-1 in hexadecimal. */
export function sha1(text: string): string {
  return createHash("sha1").update(text).digest("hex");
}
