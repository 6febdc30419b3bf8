import type { GuestConfig } from "./guestConfig";

/**
 * Receives one line of a task's log. A line that starts with `WARN: ` counts as a warning: the task then ends as
 * `WARNINGS: <n>` instead of `OK`, as PVE's `log_warn` does.
 */
export interface TaskLog {
  (line: string): void;
}

/** A network interface as the guest sees it. */
export interface GuestInterface {
  name: string;
  /** Lower case, `bc:24:11:00:00:01`. */
  hwaddr: string;
  /** First IPv4 address with its prefix length, `198.18.1.20/24`. */
  inet?: string;
  /** First IPv6 address with its prefix length. */
  inet6?: string;
}

/** What the host measures of a guest. If it is stopped, all but `running` are zero. */
export interface GuestStatus {
  running: boolean;
  /** Whether a running guest is paused; virtual machines only. */
  paused?: boolean;
  /** The guest's init process, seen from the host. */
  pid?: number;
  uptimeSeconds: number;
  /** Share of the guest's cores in use, 0 to 1. */
  cpu: number;
  memBytes: number;
  diskBytes: number;
}

/** The template of a new container, and what PVE's set-up writes into its root file system. */
export interface GuestSource {
  /** Path of the template file on the Proxmox host. */
  template: string;
  /** Authorized keys of root, one per line. */
  sshPublicKeys?: string;
  /** Password of root. */
  password?: string;
}

/**
 * The machine side of a Proxmox node: the API calls it to make real what its files say, for guests of any kind.
 *
 * The API owns the configuration file, locks, tasks and permissions. It calls at most one changing method of a guest at a
 * time. If a method throws, its task fails, and the error's message is the task's exit status.
 */
export interface MachineDriver {
  /** Translates the configuration and starts the guest. */
  start(vmid: number, config: GuestConfig, log: TaskLog): Promise<void>;
  /** Asks the guest to power off. False if it did not within `timeoutSeconds`. */
  shutdown(vmid: number, timeoutSeconds: number, log: TaskLog): Promise<boolean>;
  /** Ends the guest at once; a stopped guest is left as it is. */
  stop(vmid: number, log: TaskLog): Promise<void>;
  /** Removes every trace of a stopped guest; no error if nothing is left of it. */
  destroy(vmid: number, log: TaskLog): Promise<void>;
  /** Applies to a running guest what PVE applies without a restart. `changed` are keys of the configuration, removed ones included. */
  apply(vmid: number, config: GuestConfig, changed: readonly string[]): Promise<void>;
  /** A guest that the driver does not know is no error: it is stopped. */
  status(vmid: number): Promise<GuestStatus>;
}

/** Runs the containers of a node. `start` puts raw lines last. */
export interface ContainerDriver extends MachineDriver {
  /** Unpacks the template and writes hostname, network, DNS, password and keys into it; none of these if `ostype` is `unmanaged`. */
  create(vmid: number, config: GuestConfig, from: GuestSource, log: TaskLog): Promise<void>;
  /**
   * Copies the root file system of a stopped guest for a new one, and gives the copy a new machine id unless its `ostype`
   * is `unmanaged`. SSH host keys and everything else stay: the start changes hostname and network.
   *
   * @param config of the new guest.
   */
  clone(vmid: number, newid: number, config: GuestConfig, log: TaskLog): Promise<void>;
  /** Called after a disk has grown in `config`. */
  resize(vmid: number, config: GuestConfig, log: TaskLog): Promise<void>;
  /** Interfaces of a running guest, loopback included; empty if it has none. */
  interfaces(vmid: number): Promise<GuestInterface[]>;
}

/** A new disk of a virtual machine. */
export interface NewDisk {
  /** `local-lvm:vm-101-disk-0`. */
  readonly volid: string;
  readonly bytes: number;
  /** Path on the Proxmox host of the image to copy; an empty disk by default. */
  readonly image?: string;
}

/** A disk of a virtual machine that is a copy of another's. */
export interface DiskCopy {
  readonly from: string;
  readonly to: string;
  /** Whether only the differences to `from` are stored. */
  readonly linked: boolean;
}

/** Runs the virtual machines of a node. */
export interface VmDriver extends MachineDriver {
  /** Makes the disks of a new machine. */
  create(vmid: number, config: GuestConfig, disks: readonly NewDisk[], log: TaskLog): Promise<void>;
  /** Makes the disks of a new machine from those of another. @param config of the new machine. */
  clone(vmid: number, newid: number, config: GuestConfig, copies: readonly DiskCopy[], log: TaskLog): Promise<void>;
  /** Makes a further disk. */
  addDisk(vmid: number, disk: NewDisk, log: TaskLog): Promise<void>;
  /** Copies a disk of a machine, running or not, to another place. */
  copyDisk(vmid: number, copy: DiskCopy, log: TaskLog): Promise<void>;
  renameDisk(vmid: number, from: string, to: string): Promise<void>;
  growDisk(vmid: number, volid: string, bytes: number): Promise<void>;
  removeDisk(vmid: number, volid: string): Promise<void>;
  takeSnapshot(vmid: number, name: string, volids: readonly string[]): Promise<void>;
  /** Resets the disks of a stopped machine to the snapshot. */
  rollBack(vmid: number, name: string, volids: readonly string[]): Promise<void>;
  removeSnapshot(vmid: number, name: string, volids: readonly string[]): Promise<void>;
  /** Resets a running machine, as its button does. */
  reset(vmid: number): Promise<void>;
  pause(vmid: number): Promise<void>;
  resume(vmid: number): Promise<void>;
  /**
   * Runs `guest-<command>` on the guest agent of a running machine, and returns its result.
   *
   * @throws ApiError 500 `QEMU guest agent is not running` while there is no answer.
   */
  agent(vmid: number, command: string, args: Readonly<Record<string, unknown>>): Promise<unknown>;
}
