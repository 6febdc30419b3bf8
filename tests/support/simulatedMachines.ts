import * as fs from "node:fs";
import * as path from "node:path";
import type { GuestSource, TaskLog } from "../../lab/pve/driver";
import type { GuestConfig } from "../../lab/pve/guestConfig";
import { type SimulatedGuest, SimulatedDriver } from "../../lab/pve/simulatedDriver";
import { type CommandDouble, makeCommands, serveCommands } from "./doubles/commands";
import { GUEST_COMMANDS } from "./doubles/guestCommands";
import { bootNixos, nixosFiles, putNixos } from "./doubles/nixosGuest";
import { newDisk, SimulatedDisk } from "./doubles/simulatedDisk";
import { type IsolatedProcesses, makeRoot } from "./isolatedProcesses";
import type { Journal } from "./journal";

/** The part of the guests that is not in their files. */
export type MachinesSnapshot = ReadonlyMap<number, SimulatedGuest>;

export interface SimulatedMachinesOptions {
  readonly journal: Journal;
  /** Folder of the guests' roots: the host's `/var/lib/lxc`. */
  readonly folder: string;
  /** Folder of the doubles of the guests' commands. */
  readonly commands: string;
  readonly processes: IsolatedProcesses;
}

/** Guests of the other kind; their roots are here, too. */
interface OtherGuests {
  /** VMID of the running guest that has this IPv4 address. */
  at(address: string): number | undefined;
  startedAt(vmid: number): number | undefined;
}

/**
 * Containers in which no process runs by itself. Each has its own root, in which the host's scripts can run commands. The journal
 * has every change of them.
 */
export class SimulatedMachines extends SimulatedDriver {
  /** By VMID. */
  readonly disks = new Map<number, SimulatedDisk>();
  /** Answers those commands of a guest that are doubles. */
  answer: (vmid: number) => CommandDouble = () => () => Promise.reject(new Error("nothing answers for the guests"));
  others?: OtherGuests;
  /** Functions that end the answers for a running guest. */
  private readonly served = new Map<number, () => void>();

  constructor(private readonly own: SimulatedMachinesOptions) {
    // Long enough for the client to see running tasks.
    super({ delayMs: 30 });
    makeCommands(own.commands, GUEST_COMMANDS);
  }

  save(): MachinesSnapshot {
    return structuredClone(this.guests);
  }

  /** Continues with guests whose files are already in the folder. */
  async restore(from: MachinesSnapshot): Promise<void> {
    for (const [vmid, guest] of structuredClone(from)) {
      this.guests.set(vmid, guest);
      await this.insert(vmid);
      if (guest.startedAt !== undefined) await this.boot(vmid);
    }
  }

  /** Ends the answers in all guests. */
  dispose(): void {
    for (const end of this.served.values()) end();
    this.served.clear();
  }

  /** VMID of the running guest that has this IPv4 address. */
  at(address: string): number | undefined {
    for (const [vmid, guest] of this.guests) {
      const configured = /(?:^|,)ip=([^/,]+)/.exec(guest.config.options.get("net0") ?? "")?.[1];
      if (guest.startedAt !== undefined && configured === address) return vmid;
    }
    return this.others?.at(address);
  }

  /** Milliseconds since the epoch; undefined while the guest does not run. */
  startedAt(vmid: number): number | undefined {
    return this.guests.get(vmid)?.startedAt ?? this.others?.startedAt(vmid);
  }

  isRunning(vmid: number): boolean {
    return this.startedAt(vmid) !== undefined;
  }

  disk(vmid: number): SimulatedDisk {
    const disk = this.disks.get(vmid);
    if (!disk) throw new Error(`there is no guest ${vmid}`);
    return disk;
  }

  override async create(vmid: number, config: GuestConfig, from: GuestSource, log: TaskLog): Promise<void> {
    await this.record(vmid, "create", async () => {
      await super.create(vmid, config, from, log);
      await this.addDisk(vmid);
    });
  }

  override async start(vmid: number, config: GuestConfig, log: TaskLog): Promise<void> {
    await this.record(vmid, "start", async () => {
      await super.start(vmid, config, log);
      await this.boot(vmid);
    });
  }

  override async shutdown(vmid: number, timeoutSeconds: number, log: TaskLog): Promise<boolean> {
    return this.record(vmid, "shutdown", async () => {
      const isDown = await super.shutdown(vmid, timeoutSeconds, log);
      if (isDown) this.halt(vmid);
      return isDown;
    });
  }

  override async stop(vmid: number): Promise<void> {
    await this.record(vmid, "stop", async () => {
      await super.stop(vmid);
      this.halt(vmid);
    });
  }

  override async destroy(vmid: number): Promise<void> {
    // A creation that failed early is also cleaned up. Then there is no machine, and the journal gets no entry.
    if (!this.guests.has(vmid)) return super.destroy(vmid);
    await this.record(vmid, "destroy", () => super.destroy(vmid));
    this.removeDisk(vmid);
  }

  /**
   * Makes a guest's root.
   * @param from the guest of which it is a clone; the clone only takes over whether it has NixOS
   */
  async addDisk(vmid: number, from?: number): Promise<void> {
    makeRoot(this.root(vmid));
    const disk = newDisk(this.root(vmid));
    if (from !== undefined && this.disk(from).isNixos) putNixos(disk);
    await this.insert(vmid);
  }

  removeDisk(vmid: number): void {
    this.halt(vmid);
    this.disks.delete(vmid);
    fs.rmSync(this.root(vmid), { recursive: true, force: true });
  }

  private root(vmid: number): string {
    return path.join(this.own.folder, String(vmid), "rootfs");
  }

  /** Mounts the root of a guest whose files are in the folder. */
  async insert(vmid: number): Promise<void> {
    const disk = new SimulatedDisk(this.root(vmid));
    await this.own.processes.mountRoot(
      this.root(vmid),
      this.own.commands,
      disk.isNixos ? nixosFiles(disk, this.own.commands) : {},
    );
    this.disks.set(vmid, disk);
  }

  /** Starts what runs in a guest's root. */
  async boot(vmid: number): Promise<void> {
    fs.rmSync(path.join(this.root(vmid), "run"), { recursive: true, force: true });
    this.disk(vmid).loadFirewall();
    if (this.disk(vmid).isNixos) bootNixos(this.disk(vmid));
    this.served.set(vmid, await serveCommands(this.root(vmid), this.answer(vmid)));
  }

  halt(vmid: number): void {
    this.served.get(vmid)?.();
    this.served.delete(vmid);
  }

  async record<T>(vmid: number, change: string, work: () => Promise<T>): Promise<T> {
    const entry = this.own.journal.begin("machine", `guest ${vmid} ${change}`);
    try {
      return await work();
    } finally {
      this.own.journal.end(entry);
    }
  }
}
