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

/** How the kinds of guests differ, for the code that both share. */
export interface GuestKind {
  /** As in paths of the API, and as `type` in its answers. */
  readonly type: "lxc" | "qemu";
  /** Folder of the configuration files below the node's. */
  readonly folder: string;
  /** The name of such a guest in PVE's messages. */
  readonly label: "CT" | "VM";
  /** Beginning of the types of its tasks: `vzstart`, `qmstart`. */
  readonly task: "vz" | "qm";
  readonly syntax: ConfigSyntax;
  /** Every option that the API takes. */
  readonly options: ParameterTable;
  /** The lock file of a guest, as messages name it. */
  lockFile(vmid: number): string;
  /** The disks in a configuration, unused ones left out. */
  disks(config: GuestConfig): GuestDisk[];
  /** Applies pending changes, all or only those in `touched`. Returns those that failed, by option. */
  applyPending(draft: Draft, context: UpdateContext, touched?: ReadonlySet<string>): Record<string, string>;
  /**
   * Whether a start of a running guest, and a stop of a stopped one, are refused before there is a task. For a virtual
   * machine the task checks it, and stopping a stopped one is no error.
   */
  readonly checksStateFirst: boolean;
  /**
   * Whether a reboot is one task, which ends the guest if it does not shut down in time. A virtual machine's task only
   * shuts down; when the machine has ended, root@pam starts it.
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
