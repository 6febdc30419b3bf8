import { spawn } from "node:child_process";
import * as fs from "node:fs";
import { parse } from "yaml";
import type { DiskCopy, NewDisk, TaskLog } from "../../lab/pve/driver";
import type { GuestConfig } from "../../lab/pve/guestConfig";
import { SimulatedFiles } from "../../lab/pve/simulatedFiles";
import { type ProcessResult, type SimulatedDisk, type SimulatedVm, SimulatedVms } from "../../lab/pve/simulatedVms";
import { endOf } from "./endOf";
import type { IsolatedProcesses } from "./isolatedProcesses";
import type { SimulatedMachines } from "./simulatedMachines";

/** The part of the machines that is not in their files. */
export interface VmsSnapshot {
  readonly guests: ReadonlyMap<number, Omit<SimulatedVm, "files">>;
  readonly disks: ReadonlyMap<string, SimulatedDisk>;
}

/**
 * Virtual machines in which no process runs by itself. Each has its own root, in which its guest agent runs commands. The journal
 * has every change of them. {@link SimulatedMachines} does the same for containers, and keeps the roots of both kinds.
 */
export class VmRoots extends SimulatedVms {
  /** The status that cloud-init reports. */
  cloudInit: (vmid: number) => string = () => "done";
  /** Machines whose agent never answers. */
  readonly withoutAgent = new Set<number>();
  /** Machines made from a vendor's image: they have only the packages that cloud-init installs. */
  private readonly plain = new Set<number>();
  /** Machines whose file system has grown, in order. */
  readonly grown: number[] = [];

  constructor(
    private readonly machines: SimulatedMachines,
    private readonly processes: IsolatedProcesses,
    /** Path of a file in a storage, by its volume ID. */
    private readonly storageFile: (volid: string) => string,
  ) {
    // Long enough for the client to see running tasks.
    super({ delayMs: 30 });
    machines.others = this;
  }

  save(): VmsSnapshot {
    const guests = [...this.guests].map(([vmid, { files: _, ...vm }]) => [vmid, vm] as const);
    return structuredClone({ guests: new Map(guests), disks: this.disks });
  }

  /** Continues with machines whose roots are already in the folder of {@link SimulatedMachines}. */
  async restore(from: VmsSnapshot): Promise<void> {
    const { guests, disks } = structuredClone(from);
    for (const [volid, disk] of disks) this.disks.set(volid, disk);
    for (const [vmid, vm] of guests) {
      this.guests.set(vmid, { ...vm, files: new SimulatedFiles() });
      await this.machines.insert(vmid);
      if (vm.startedAt !== undefined) await this.machines.boot(vmid);
    }
  }

  at(address: string): number | undefined {
    for (const [vmid, { startedAt, config }] of this.guests) {
      const configured = /(?:^|,)ip=([^/,]+)/.exec(config.options.get("ipconfig0") ?? "")?.[1];
      if (startedAt !== undefined && configured === address) return vmid;
    }
    return undefined;
  }

  startedAt(vmid: number): number | undefined {
    return this.guests.get(vmid)?.startedAt;
  }

  /** The first interface, as cloud-init configures it. */
  interfaces(vmid: number): { readonly name: string; readonly inet?: string }[] {
    const inet = /(?:^|,)ip=([^,]+)/.exec(this.guests.get(vmid)?.config.options.get("ipconfig0") ?? "")?.[1];
    return [{ name: "eth0", ...(inet === undefined ? {} : { inet }) }];
  }

  override async create(vmid: number, config: GuestConfig, disks: readonly NewDisk[], log: TaskLog): Promise<void> {
    await this.machines.record(vmid, "create", async () => {
      await super.create(vmid, config, disks, log);
      if (disks.some(({ image }) => image !== undefined)) this.plain.add(vmid);
      await this.machines.addDisk(vmid);
    });
  }

  override async clone(vmid: number, newid: number, config: GuestConfig, copies: readonly DiskCopy[]): Promise<void> {
    await this.machines.record(newid, "clone", async () => {
      await super.clone(vmid, newid, config, copies);
      await this.machines.addDisk(newid, vmid);
    });
  }

  override async start(vmid: number, config: GuestConfig): Promise<void> {
    await this.machines.record(vmid, "start", async () => {
      const packages = this.packages(config);
      await super.start(vmid, config);
      if (this.plain.delete(vmid) && !packages.includes("qemu-guest-agent")) this.withoutAgent.add(vmid);
      await this.machines.boot(vmid);
    });
  }

  /**
   * The packages in the machine's vendor data.
   * @throws Error if the file does not exist: Proxmox VE does not start such a machine
   */
  private packages(config: GuestConfig): readonly string[] {
    const [, vendor] = /(?:^|,)vendor=([^,]+)/.exec(config.options.get("cicustom") ?? "") ?? [];
    if (vendor === undefined) return [];
    const file = this.storageFile(vendor);
    if (!fs.existsSync(file)) throw new Error(`volume '${vendor}' does not exist`);
    const { packages = [] } = parse(fs.readFileSync(file, "utf8")) as { packages?: string[] };
    return packages;
  }

  override async shutdown(vmid: number): Promise<boolean> {
    return this.machines.record(vmid, "shutdown", async () => {
      const isDown = await super.shutdown(vmid);
      if (isDown) this.machines.halt(vmid);
      return isDown;
    });
  }

  override async stop(vmid: number): Promise<void> {
    await this.machines.record(vmid, "stop", async () => {
      await super.stop(vmid);
      this.machines.halt(vmid);
    });
  }

  override async destroy(vmid: number): Promise<void> {
    if (!this.guests.has(vmid)) return super.destroy(vmid);
    await this.machines.record(vmid, "destroy", () => super.destroy(vmid));
    this.machines.removeDisk(vmid);
  }

  override async agent(vmid: number, command: string, args: Readonly<Record<string, unknown>>): Promise<unknown> {
    if (!this.withoutAgent.has(vmid)) return super.agent(vmid, command, args);
    return super.agent(-1, command, args);
  }

  /** Runs the command in the machine's root, with its programs. */
  override async run(vmid: number, command: readonly string[], input = ""): Promise<ProcessResult> {
    const [program, ...args] = [...this.processes.enter, "chroot", this.machines.disk(vmid).root, ...command];
    const child = spawn(program!, args, { cwd: "/", env: { PATH: process.env["PATH"] }, stdio: "pipe" });
    const { code, ...output } = await endOf(child, input);
    return { exitcode: code ?? 255, ...output };
  }
}
