import type { GuestConfig } from "../pve/guestConfig";
import { parsePropertyString } from "../pve/schema/propertyString";
import { isCdrom, isCloudInit, type Drive } from "../pve/vms/drives";
import { vmNetworkFormat } from "../pve/vms/options";

/* Drives and networks in QEMU's form, for its start and while it runs: the devices of `PVE::QemuServer` by name. */

/** A device: its driver and properties. */
export type Device = { readonly driver: string; readonly id: string } & Readonly<Record<string, string | number>>;

/** The parts of a drive: its content, and the devices in the order in which they are plugged. */
export interface DriveParts {
  /** Undefined for an empty CD drive. */
  readonly node?: BlockNode;
  /** Only for this drive; other drives share a controller. */
  readonly controller?: Device;
  readonly sharedController?: Device;
  readonly device: Device;
}

/** A block node, as `-blockdev` and `blockdev-add` take it. */
export type BlockNode = Readonly<Record<string, unknown>> & { readonly "node-name": string };

/** Name of a drive's block node. */
export function nodeName(key: string): string {
  return `drive-${key}`;
}

/** @param file path of the drive's content. */
export function driveParts(drive: Drive, { options }: GuestConfig, file: string | undefined): DriveParts {
  const bootIndex = bootOrder(options.get("boot")).indexOf(drive.key);
  const { serial, ssd } = drive.properties;
  const name = nodeName(drive.key);
  const place = placeOf(drive, options.get("scsihw") ?? "lsi", /q35/.test(options.get("machine") ?? ""));
  return {
    ...(file !== undefined && { node: blockNode(drive, name, file) }),
    ...place,
    device: {
      ...place.device,
      id: drive.key,
      ...(file !== undefined && { drive: name }),
      ...(serial !== undefined && { serial: decodeURIComponent(serial) }),
      ...(ssd === "1" && { rotation_rate: 1 }),
      ...(bootIndex >= 0 && { bootindex: 100 + bootIndex }),
    },
  };
}

/** `no-flush` loses data only at a power cut of the machine itself, which also ends the lab. */
function blockNode(drive: Drive, name: string, file: string): BlockNode {
  const protocol = { driver: "file", filename: file };
  if (isCdrom(drive) || isCloudInit(drive))
    return { driver: "raw", "node-name": name, "read-only": true, file: protocol };
  const discard = drive.properties["discard"] === "on" ? "unmap" : "ignore";
  return { driver: "qcow2", "node-name": name, discard, cache: { direct: false, "no-flush": true }, file: protocol };
}

const scsiControllers: Readonly<Record<string, string>> = {
  ...{ lsi: "lsi", lsi53c810: "lsi53c810", "virtio-scsi-pci": "virtio-scsi-pci" },
  ...{ "virtio-scsi-single": "virtio-scsi-pci", megasas: "megasas", pvscsi: "pvscsi" },
};

/** The bus and unit of a drive, and the controller that it needs. */
function placeOf(
  { key, properties }: Drive,
  scsihw: string,
  isQ35: boolean,
): Pick<DriveParts, "controller" | "sharedController" | "device"> {
  const [, bus = "", digits = ""] = /^([a-z]+)(\d+)$/.exec(key) ?? [];
  const index = Number(digits);
  const type = properties["media"] === "cdrom" ? "cd" : "hd";
  switch (bus) {
    case "virtio":
      return { device: { driver: "virtio-blk-pci", id: key } };
    case "sata":
      return {
        sharedController: { driver: "ahci", id: "ahci0" },
        device: { driver: `ide-${type}`, id: key, bus: `ahci0.${index}` },
      };
    case "ide": {
      // The chip set has two controllers of two units, or on q35 six of one.
      const [controller, unit] = isQ35 ? [index, 0] : [index >> 1, index % 2];
      return { device: { driver: `ide-${type}`, id: key, bus: `ide.${controller}`, unit } };
    }
    case "scsi": {
      const driver = scsiControllers[scsihw]!;
      const unit = { channel: 0, "scsi-id": 0, lun: index };
      if (scsihw === "virtio-scsi-single") {
        const id = `virtioscsi${index}`;
        return { controller: { driver, id }, device: { driver: `scsi-${type}`, id: key, bus: `${id}.0`, ...unit } };
      }
      const ofBus = scsihw === "virtio-scsi-pci" ? unit : { "scsi-id": index };
      return {
        sharedController: { driver, id: "scsihw0" },
        device: { driver: `scsi-${type}`, id: key, bus: "scsihw0.0", ...ofBus },
      };
    }
    default:
      throw new Error(`the lab's virtual machines have no ${bus}`);
  }
}

/** Keys of the boot devices, in order. */
export function bootOrder(boot: string | undefined): string[] {
  return /(?:^|,)order=([^,]+)/.exec(boot ?? "")?.[1]?.split(";") ?? [];
}

/** A network device and the tap that it is connected to. */
export interface NetworkParts {
  readonly tap: string;
  readonly bridge?: string;
  readonly linkDown: boolean;
  readonly device: Device;
}

/** @param key `net0`. */
export function networkParts(vmid: number, key: string, { options }: GuestConfig): NetworkParts {
  const network = parsePropertyString(options.get(key)!, vmNetworkFormat);
  const { model = "virtio", macaddr = "", bridge, mtu, link_down: linkDown } = network;
  const bootIndex = bootOrder(options.get("boot")).indexOf(key);
  return {
    tap: `tap${vmid}i${key.slice("net".length)}`,
    ...(bridge !== undefined && { bridge }),
    linkDown: linkDown === "1",
    device: {
      driver: model === "virtio" ? "virtio-net-pci" : model,
      id: key,
      netdev: key,
      mac: macaddr,
      // Nothing boots from the network here, and the boot ROM takes time at each boot.
      romfile: "",
      ...(mtu !== undefined && model === "virtio" && { host_mtu: Number(mtu) }),
      ...(bootIndex >= 0 && { bootindex: 100 + bootIndex }),
    },
  };
}

/** Keys of a machine's networks, in order. */
export function networkKeys({ options }: GuestConfig): string[] {
  return [...options.keys()]
    .filter((key) => /^net\d+$/.test(key))
    .sort((a, b) => Number(a.slice(3)) - Number(b.slice(3)));
}
