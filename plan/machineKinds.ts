import type { KINDS } from "../config/sections/poolKeys";

/*
 * How the kinds of machines differ outside the program's own resources: in Pulumi's state, on Proxmox VE's command line and in
 * its configuration folder. All code reads these facts here.
 */

export type MachineKind = (typeof KINDS)[number];

interface MachineFacts {
  /** Type of the guest's resource in Pulumi's state. */
  readonly resourceType: string;
  /** Proxmox VE's command for such guests. */
  readonly command: "pct" | "qm";
  /** Folder of their configurations below `/etc/pve/nodes/NODE`. The scripts on the host use its name for the kind. */
  readonly folder: "lxc" | "qemu-server";
  /** The command that destroys such a guest, running or not. */
  readonly destroy: (vmId: number) => string;
  /** The command that runs another one inside such a guest. */
  readonly exec: (vmId: number, command: string) => string;
  /** The command that moves such a guest to another Proxmox VE node while it runs. */
  readonly migrate: (vmId: number, to: string) => string;
}

export const MACHINE_KINDS: Readonly<Record<MachineKind, MachineFacts>> = {
  lxc: {
    resourceType: "proxmoxve:index/containerLegacy:ContainerLegacy",
    command: "pct",
    folder: "lxc",
    destroy: (vmId) => `pct destroy ${vmId} --force`,
    exec: (vmId, command) => `pct exec ${vmId} -- ${command}`,
    migrate: (vmId, to) => `pct migrate ${vmId} ${to} --restart`,
  },
  vm: {
    resourceType: "proxmoxve:index/vmLegacy:VmLegacy",
    command: "qm",
    folder: "qemu-server",
    destroy: (vmId) => `qm stop ${vmId} && qm destroy ${vmId}`,
    exec: (vmId, command) => `qm guest exec ${vmId} -- ${command}`,
    migrate: (vmId, to) => `qm migrate ${vmId} ${to} --online`,
  },
};

/** The command that destroys a guest that keeps a node's further disks. Such a guest is protected. */
export const destroyKeeper = (vmId: number): string => `qm set ${vmId} --protection 0 && qm destroy ${vmId}`;

const kinds = Object.keys(MACHINE_KINDS) as MachineKind[];

/** The kind of machine that a resource is; undefined if it is not a machine. */
export const kindOfResource = (type: string): MachineKind | undefined =>
  kinds.find((kind) => MACHINE_KINDS[kind].resourceType === type);

/** The kind of machine whose configurations are in a folder; undefined for any other folder. */
export const kindOfFolder = (folder: string): MachineKind | undefined =>
  kinds.find((kind) => MACHINE_KINDS[kind].folder === folder);
