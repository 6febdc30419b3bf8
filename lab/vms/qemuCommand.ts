import type { GuestConfig } from "../pve/guestConfig";
import { parsePropertyString } from "../pve/schema/propertyString";
import { smbiosFormat } from "../pve/schema/vmFormats";
import { drivesOf, type Drive } from "../pve/vms/drives";
import { memoryFormat } from "../pve/vms/options";
import { isAgentEnabled } from "../pve/vms/status";
import { driveParts, networkKeys, networkParts, type Device } from "./devices";

/** The files of a machine that QEMU uses. */
export interface VmFiles {
  readonly pid: string;
  /** Sockets of the monitor and of the guest agent. */
  readonly monitor: string;
  readonly agent: string;
  /** What the machine writes to its first serial port. */
  readonly console: string;
  /** Path of a drive's content; undefined for an empty CD drive. */
  readonly drive: (drive: Drive) => string | undefined;
  /** Path of the script that connects a network's tap. */
  readonly plug: (key: string) => string;
}

export const qemu = "qemu-system-x86_64";

/**
 * The arguments of a machine's QEMU, after `PVE::QemuServer::config_to_command`.
 *
 * Three things differ. The accelerator is always software emulation, explicitly: `/dev/kvm` may exist and boot nothing. So
 * the processor is the best that QEMU can emulate, whatever `cpu` is. And the first serial port always exists, as the
 * machine's log.
 */
export function qemuArguments(vmid: number, config: GuestConfig, files: VmFiles): string[] {
  const { options } = config;
  return [
    ...["-name", `${options.get("name") ?? `vm${vmid}`},debug-threads=on`],
    ...["-daemonize", "-pidfile", files.pid],
    ...["-qmp", `unix:${files.monitor},server=on,wait=off`],
    ...["-nodefaults", "-no-user-config", "-display", "none"],
    ...["-machine", /q35/.test(options.get("machine") ?? "") ? "q35" : "pc"],
    ...["-accel", "tcg,thread=multi", "-cpu", "max"],
    ...["-smp", processors(options), "-m", memory(options)],
    ...identity(options.get("smbios1")),
    ...(options.get("reboot") === "0" ? ["-no-reboot"] : []),
    ...[
      "-chardev",
      `file,id=serial0,path=${files.console}`,
      ...device({ driver: "isa-serial", id: "serial0", chardev: "serial0" }),
    ],
    ...[
      "-object",
      "rng-random,filename=/dev/urandom,id=rng0",
      ...device({ driver: "virtio-rng-pci", id: "rng", rng: "rng0" }),
    ],
    ...(options.get("balloon") === "0" ? [] : device({ driver: "virtio-balloon-pci", id: "balloon0" })),
    ...(isAgentEnabled(options.get("agent")) ? agent(files.agent) : []),
    ...drives(config, files),
    ...networkKeys(config).flatMap((key) => network(vmid, key, config, files)),
  ];
}

/** How many processors a machine has. */
export function processorCount(options: GuestConfig["options"]): number {
  const most = Number(options.get("sockets") ?? 1) * Number(options.get("cores") ?? 1);
  return Number(options.get("vcpus") ?? most);
}

function processors(options: GuestConfig["options"]): string {
  const [sockets, cores] = [Number(options.get("sockets") ?? 1), Number(options.get("cores") ?? 1)];
  return `${processorCount(options)},sockets=${sockets},cores=${cores},maxcpus=${sockets * cores}`;
}

function memory(options: GuestConfig["options"]): string {
  return `${parsePropertyString(options.get("memory") ?? "512", memoryFormat)["current"]}M`;
}

function identity(smbios: string | undefined): string[] {
  const uuid = smbios === undefined ? undefined : parsePropertyString(smbios, smbiosFormat)["uuid"];
  return uuid === undefined ? [] : ["-smbios", `type=1,uuid=${uuid}`];
}

function agent(socket: string): string[] {
  return [
    ...["-chardev", `socket,id=qga0,path=${socket},server=on,wait=off`],
    ...device({ driver: "virtio-serial-pci", id: "qga" }),
    ...device({ driver: "virtserialport", id: "qga0", chardev: "qga0", name: "org.qemu.guest_agent.0" }),
  ];
}

function drives(config: GuestConfig, files: VmFiles): string[] {
  const shared = new Set<string>();
  return drivesOf(config).flatMap((drive) => {
    const parts = driveParts(drive, config, files.drive(drive));
    const { node, controller, sharedController } = parts;
    const isFirst = sharedController !== undefined && !shared.has(sharedController.id);
    if (sharedController) shared.add(sharedController.id);
    return [
      ...(node ? ["-blockdev", JSON.stringify(node)] : []),
      ...(controller ? device(controller) : []),
      ...(isFirst ? device(sharedController) : []),
      ...device(parts.device),
    ];
  });
}

function network(vmid: number, key: string, config: GuestConfig, files: VmFiles): string[] {
  const { tap, device: card } = networkParts(vmid, key, config);
  // QEMU makes the tap, so the tap disappears with it, however it ends.
  return ["-netdev", `tap,id=${key},ifname=${tap},script=${files.plug(key)},downscript=no`, ...device(card)];
}

function device(properties: Device): string[] {
  return ["-device", JSON.stringify(properties)];
}
