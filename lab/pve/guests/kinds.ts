import { containerSyntax, vmSyntax, type ConfigSyntax, type GuestConfig } from "../guestConfig";
import type { ParameterTable } from "../schema/schema";
import { vmDisks } from "../vms/drives";
import { vmOptions } from "../vms/options";
import { applyPendingToVm } from "../vms/pending";
import type { Draft } from "./draft";
import { containerOptions } from "./options";
import { applyPending, type UpdateContext } from "./update";
import { containerDisks } from "./volumes";

/** A disk of a guest as its storage lists it. */
export interface GuestDisk {
  readonly volid: string;
  readonly bytes: number;
  readonly content: "rootdir" | "images";
  readonly format: string;
}

/** What sets the kinds of guests apart, for the machinery that both share. */
export interface GuestKind {
  /** As paths of the API and `type` in its answers have it. */
  readonly type: "lxc" | "qemu";
  /** Folder of the configuration files below the node's. */
  readonly folder: string;
  /** What PVE's messages call one. */
  readonly label: "CT" | "VM";
  /** Beginning of the types of its tasks: `vzstart`, `qmstart`. */
  readonly task: "vz" | "qm";
  readonly syntax: ConfigSyntax;
  /** Every option that the API takes. */
  readonly options: ParameterTable;
  /** The file that stands for a guest's lock, as messages name it. */
  lockFile(vmid: number): string;
  /** The disks in a configuration, unused ones left out. */
  disks(config: GuestConfig): GuestDisk[];
  /** Takes over what is pending, or of it only what is `touched`. Returns what could not be applied, by option. */
  applyPending(draft: Draft, context: UpdateContext, touched?: ReadonlySet<string>): Record<string, string>;
  /**
   * Whether a start of what runs, and a stop of what does not, are refused before there is a task. A virtual machine's
   * task finds out, and to stop one that does not run is no error.
   */
  readonly checksStateFirst: boolean;
  /**
   * Whether a reboot is one task, which ends what does not shut down in time. A virtual machine's only shuts down, and a
   * start by root@pam follows when the machine has gone.
   */
  readonly rebootIsOneTask: boolean;
  readonly words: {
    readonly templateStart: string;
    readonly notShutDown: string;
    runningAtDestroy(vmid: number): string;
  };
}

export const container: GuestKind = {
  ...{ type: "lxc", folder: "lxc", label: "CT", task: "vz", syntax: containerSyntax, options: containerOptions },
  lockFile: (vmid) => `/run/lock/lxc/pve-config-${vmid}.lock`,
  disks: containerDisks,
  applyPending,
  checksStateFirst: true,
  rebootIsOneTask: true,
  words: {
    templateStart: "you can't start a CT if it's a template",
    notShutDown: "container did not stop",
    runningAtDestroy: (vmid) => `unable to destroy CT ${vmid} - container is running`,
  },
};

export const virtualMachine: GuestKind = {
  ...{ type: "qemu", folder: "qemu-server", label: "VM", task: "qm", syntax: vmSyntax, options: vmOptions },
  lockFile: (vmid) => `/var/lock/qemu-server/lock-${vmid}.conf`,
  disks: vmDisks,
  applyPending: applyPendingToVm,
  checksStateFirst: false,
  rebootIsOneTask: false,
  words: {
    templateStart: "you can't start a vm if it's a template",
    notShutDown: "VM quit/powerdown failed - got timeout",
    runningAtDestroy: (vmid) => `VM ${vmid} is running - destroy failed`,
  },
};

export const guestKinds: readonly GuestKind[] = [container, virtualMachine];
