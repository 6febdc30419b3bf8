import { randomBytes } from "node:crypto";
import type { GuestSource, TaskLog } from "../../lab/pve/driver";
import type { GuestConfig } from "../../lab/pve/guestConfig";
import { type SimulatedGuest, SimulatedDriver } from "../../lab/pve/simulatedDriver";
import type { Journal } from "./journal";
import { type KeyPair, newKeyPair } from "./sshKeys";

/** K3s on a simulated machine: what was installed last, and the hash of the CA that a first server made. */
export interface SimulatedK3s {
  readonly role: string;
  readonly version: string;
  readonly token: string;
  readonly agentToken?: string;
  readonly caHash: string;
  /** `config.yaml`. */
  readonly config: string;
}

/** What lives on a machine's disk and goes with it. */
export interface SimulatedDisk {
  hostKey: KeyPair;
  authorizedKeys: string[];
  k3s?: SimulatedK3s;
  /** Of a server's: whom its K3s is to join. */
  join?: { readonly address: string; readonly caHash: string };
}

export interface MachinesSnapshot {
  readonly guests: ReadonlyMap<number, SimulatedGuest>;
  readonly disks: ReadonlyMap<number, SimulatedDisk>;
}

/** Guests that are records only, with a disk to remember what the scripts did, and every change in the journal. */
export class SimulatedMachines extends SimulatedDriver {
  /** By VMID. */
  readonly disks = new Map<number, SimulatedDisk>();

  constructor(
    private readonly journal: Journal,
    from?: MachinesSnapshot,
  ) {
    // Long enough for the client to see tasks that run.
    super({ delayMs: 30 });
    if (!from) return;
    for (const [vmid, guest] of structuredClone(from.guests)) this.guests.set(vmid, guest);
    for (const [vmid, disk] of structuredClone(from.disks)) this.disks.set(vmid, disk);
  }

  save(): MachinesSnapshot {
    return structuredClone({ guests: this.guests, disks: this.disks });
  }

  /** VMID of the running guest that has this IPv4 address. */
  at(address: string): number | undefined {
    for (const [vmid, guest] of this.guests) {
      const configured = /(?:^|,)ip=([^/,]+)/.exec(guest.config.options.get("net0") ?? "")?.[1];
      if (guest.startedAt !== undefined && configured === address) return vmid;
    }
    return undefined;
  }

  isRunning(vmid: number): boolean {
    return this.guests.get(vmid)?.startedAt !== undefined;
  }

  disk(vmid: number): SimulatedDisk {
    const disk = this.disks.get(vmid);
    if (!disk) throw new Error(`there is no guest ${vmid}`);
    return disk;
  }

  override async create(vmid: number, config: GuestConfig, from: GuestSource, log: TaskLog): Promise<void> {
    await this.record(vmid, "create", () => super.create(vmid, config, from, log));
    this.disks.set(vmid, { hostKey: newKeyPair(), authorizedKeys: [] });
  }

  /** SSH host keys are copied with the disk, as on a Proxmox host. */
  override async clone(vmid: number, newid: number, config: GuestConfig, log: TaskLog): Promise<void> {
    await this.record(newid, "clone", () => super.clone(vmid, newid, config, log));
    this.disks.set(newid, structuredClone(this.disk(vmid)));
  }

  override start(vmid: number, config: GuestConfig, log: TaskLog): Promise<void> {
    return this.record(vmid, "start", () => super.start(vmid, config, log));
  }

  override shutdown(vmid: number, timeoutSeconds: number, log: TaskLog): Promise<boolean> {
    return this.record(vmid, "shutdown", () => super.shutdown(vmid, timeoutSeconds, log));
  }

  override stop(vmid: number): Promise<void> {
    return this.record(vmid, "stop", () => super.stop(vmid));
  }

  override async destroy(vmid: number): Promise<void> {
    // A creation that failed before it began is cleared away all the same: nothing happens to a machine.
    if (!this.guests.has(vmid)) return super.destroy(vmid);
    await this.record(vmid, "destroy", () => super.destroy(vmid));
    this.disks.delete(vmid);
  }

  private async record<T>(vmid: number, change: string, work: () => Promise<T>): Promise<T> {
    const entry = this.journal.begin("machine", `guest ${vmid} ${change}`);
    try {
      return await work();
    } finally {
      this.journal.end(entry);
    }
  }
}

/** A new CA's hash, as it stands in K3s's tokens. */
export function newCaHash(): string {
  return randomBytes(32).toString("hex");
}
