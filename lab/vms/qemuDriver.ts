import * as fs from "node:fs";
import * as path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Mutex } from "async-mutex";
import { enterCgroup, removeCgroup, usage } from "../containers/cgroups";
import { CpuLoad } from "../containers/cpuLoad";
import { processUptime } from "../containers/inspect";
import { CommandError, run } from "../host/run";
import type { DiskCopy, GuestStatus, NewDisk, TaskLog, VmDriver } from "../pve/driver";
import { failure, messageOf } from "../pve/errors";
import type { GuestConfig } from "../pve/guestConfig";
import { drivesOf, isCdrom, isCloudInit, type Drive } from "../pve/vms/drives";
import { isAgentEnabled } from "../pve/vms/status";
import { cloudInitContent, hostDns, writeCloudInitDrive } from "./cloudInitDrive";
import { networkKeys, networkParts } from "./devices";
import { DiskFiles } from "./diskFiles";
import { askAgent } from "./guestAgent";
import { changeMedium, nodeOf, plugChanges, setLink, writePlug } from "./hotplug";
import { pidFile, qemuPid, runDir } from "./process";
import { processorCount, qemu, qemuArguments, type VmFiles } from "./qemuCommand";
import { Qmp } from "./qmp";
import { assertSupported } from "./supported";

export interface QemuDriverOptions {
  /** Folder of all volumes, `<root>/<storage>/<vmid>/<name>`. */
  readonly imagesDir: string;
  readonly logDir: string;
  /** cgroup of the lab's guests, below the root of each hierarchy. */
  readonly cgroup: string;
  readonly cgroupV1: boolean;
  /** Path of a file on a storage, by its volume ID: a CD's image, a snippet. */
  readonly storageFile: (volid: string) => string;
}

/** The state of a machine's QEMU that QEMU itself does not report. */
interface Started {
  config: GuestConfig;
  paused: boolean;
}

/** How long a machine may take to end after a signal. */
const killMs = 10_000;

/**
 * Virtual machines by QEMU, emulated in software: what a Proxmox node does with them, on this machine. Every QEMU is a
 * process of the lab and ends with it.
 */
export class QemuDriver implements VmDriver {
  private readonly disks: DiskFiles;
  private readonly load = new CpuLoad();
  private readonly started = new Map<number, Started>();
  private readonly mutexes = new Map<string, Mutex>();

  constructor(private readonly options: QemuDriverOptions) {
    this.disks = new DiskFiles(options.imagesDir);
  }

  async create(vmid: number, config: GuestConfig, disks: readonly NewDisk[], log: TaskLog): Promise<void> {
    assertSupported(config);
    for (const disk of disks) await this.addDisk(vmid, disk, log);
  }

  async clone(vmid: number, _newid: number, config: GuestConfig, copies: readonly DiskCopy[]): Promise<void> {
    assertSupported(config);
    for (const copy of copies) await this.copyDisk(vmid, copy);
  }

  async addDisk(_vmid: number, disk: NewDisk, log: TaskLog): Promise<void> {
    if (disk.image !== undefined) log(`importing '${disk.image}' to '${disk.volid}'`);
    await this.disks.create(disk);
  }

  async copyDisk(vmid: number, copy: DiskCopy): Promise<void> {
    if (qemuPid(vmid) !== undefined) throw new Error(`the lab copies disks of stopped machines only: stop VM ${vmid}`);
    await this.disks.copy(copy);
  }

  async renameDisk(_vmid: number, from: string, to: string): Promise<void> {
    this.disks.rename(from, to);
  }

  async growDisk(vmid: number, volid: string, bytes: number): Promise<void> {
    if (qemuPid(vmid) === undefined) return this.disks.grow(volid, bytes);
    await this.monitor(vmid, async (qmp) => {
      await qmp.execute("block_resize", { "node-name": await nodeOf(qmp, this.disks.file(volid)), size: bytes });
    });
  }

  async removeDisk(_vmid: number, volid: string): Promise<void> {
    this.disks.remove(volid);
  }

  async takeSnapshot(vmid: number, name: string, volids: readonly string[]): Promise<void> {
    for (const volid of volids) await this.snapshot(vmid, "-c", "blockdev-snapshot-internal-sync", name, volid);
  }

  async rollBack(_vmid: number, name: string, volids: readonly string[]): Promise<void> {
    for (const volid of volids) await this.disks.snapshot("-a", name, volid);
  }

  async removeSnapshot(vmid: number, name: string, volids: readonly string[]): Promise<void> {
    for (const volid of volids) await this.snapshot(vmid, "-d", "blockdev-snapshot-delete-internal-sync", name, volid);
  }

  async start(vmid: number, config: GuestConfig, log: TaskLog): Promise<void> {
    assertSupported(config);
    fs.mkdirSync(runDir, { recursive: true, mode: 0o700 });
    const files = this.files(vmid);
    await this.writeCloudInit(vmid, config, log);
    const networks = networkKeys(config).map((key) => networkParts(vmid, key, config));
    for (const { bridge, device } of networks) {
      if (bridge !== undefined && !fs.existsSync(`/sys/class/net/${bridge}/bridge`))
        throw new Error(`bridge '${bridge}' does not exist`);
      writePlug(files.plug(device.id), bridge);
    }
    for (const old of [files.pid, files.monitor, files.agent, files.console]) fs.rmSync(old, { force: true });
    try {
      // QEMU becomes a daemon when all devices exist; it reports their errors before that.
      await run(qemu, qemuArguments(vmid, config, files));
    } catch (error) {
      const { exitCode, stderr } = error as CommandError;
      throw new Error(`start failed: QEMU exited with code ${exitCode}: ${stderr.trim()}`);
    }
    const pid = qemuPid(vmid);
    if (pid === undefined) throw new Error("start failed: QEMU has ended");
    this.started.set(vmid, { config, paused: false });
    try {
      enterCgroup(this.cgroup(vmid), this.options.cgroupV1, pid);
      const unplugged = networks.filter(({ linkDown }) => linkDown);
      if (unplugged.length > 0)
        await this.monitor(vmid, async (qmp) => {
          for (const { device } of unplugged) await setLink(qmp, device.id, true);
        });
    } catch (error) {
      await this.stop(vmid, log);
      throw error;
    }
  }

  async shutdown(vmid: number, timeoutSeconds: number): Promise<boolean> {
    const deadline = Date.now() + timeoutSeconds * 1000;
    if (qemuPid(vmid) === undefined) return true;
    const config = this.started.get(vmid)?.config;
    if (isAgentEnabled(config?.options.get("agent"))) await this.agent(vmid, "shutdown", {});
    else await this.monitor(vmid, (qmp) => qmp.execute("system_powerdown"));
    return this.ended(vmid, deadline);
  }

  async stop(vmid: number, log: TaskLog): Promise<void> {
    const pid = qemuPid(vmid);
    if (pid === undefined) return;
    process.kill(pid, "SIGTERM");
    if (await this.ended(vmid, Date.now() + killMs)) return;
    log("VM still running - terminating now with SIGKILL");
    process.kill(pid, "SIGKILL");
    if (!(await this.ended(vmid, Date.now() + killMs))) throw new Error(`process ${pid} of VM ${vmid} does not end`);
  }

  async destroy(vmid: number): Promise<void> {
    this.disks.removeAll(vmid);
    this.forget(vmid);
    for (const name of fs.existsSync(runDir) ? fs.readdirSync(runDir) : [])
      if (name.startsWith(`${vmid}.`)) fs.rmSync(path.join(runDir, name));
    fs.rmSync(this.files(vmid).console, { force: true });
    removeCgroup(this.cgroup(vmid));
  }

  async reset(vmid: number): Promise<void> {
    await this.monitor(vmid, (qmp) => qmp.execute("system_reset"));
  }

  async pause(vmid: number): Promise<void> {
    await this.monitor(vmid, (qmp) => qmp.execute("stop"));
    this.started.get(vmid)!.paused = true;
  }

  async resume(vmid: number): Promise<void> {
    await this.monitor(vmid, (qmp) => qmp.execute("cont"));
    this.started.get(vmid)!.paused = false;
  }

  async apply(vmid: number, config: GuestConfig, changed: readonly string[]): Promise<void> {
    const started = this.started.get(vmid);
    if (qemuPid(vmid) === undefined || !started) return;
    assertSupported(config);
    const files = this.files(vmid);
    await this.monitor(vmid, async (qmp) => {
      await plugChanges(qmp, { vmid, before: started.config, files }, config, changed);
      if (!changed.includes("cloudinit")) return;
      await this.writeCloudInit(vmid, config, () => {});
      for (const drive of drivesOf(config).filter(isCloudInit)) await changeMedium(qmp, drive.key, files.drive(drive));
    });
    started.config = config;
  }

  async status(vmid: number): Promise<GuestStatus> {
    const pid = qemuPid(vmid);
    if (pid === undefined) return { running: false, uptimeSeconds: 0, cpu: 0, memBytes: 0, diskBytes: 0 };
    const { memBytes, cpuSeconds } = usage(this.cgroup(vmid), this.options.cgroupV1);
    const started = this.started.get(vmid);
    return {
      running: true,
      ...(started?.paused && { paused: true }),
      pid,
      uptimeSeconds: processUptime(pid),
      cpu: this.load.since(vmid, cpuSeconds, started ? processorCount(started.config.options) : 1),
      memBytes,
      diskBytes: 0,
    };
  }

  async agent(vmid: number, command: string, args: Readonly<Record<string, unknown>>): Promise<unknown> {
    if (this.started.get(vmid)?.paused) throw failure("QEMU guest agent is not running");
    return this.alone(`agent ${vmid}`, () => askAgent(this.files(vmid).agent, vmid, command, args));
  }

  private async snapshot(
    vmid: number,
    action: "-c" | "-d",
    command: string,
    name: string,
    volid: string,
  ): Promise<void> {
    if (qemuPid(vmid) === undefined) return this.disks.snapshot(action, name, volid);
    await this.monitor(vmid, async (qmp) => {
      await qmp.execute(command, { device: await nodeOf(qmp, this.disks.file(volid)), name });
    });
  }

  private async writeCloudInit(vmid: number, config: GuestConfig, log: TaskLog): Promise<void> {
    for (const drive of drivesOf(config).filter(isCloudInit)) {
      log("generating cloud-init ISO");
      const snippet = (volid: string) => fs.readFileSync(this.options.storageFile(volid), "utf8");
      await writeCloudInitDrive(this.disks.file(drive.file), cloudInitContent(vmid, config, hostDns(), snippet));
    }
  }

  private files(vmid: number): VmFiles {
    const own = (name: string) => path.join(runDir, `${vmid}.${name}`);
    return {
      ...{ pid: pidFile(vmid), monitor: own("qmp"), agent: own("qga") },
      console: path.join(this.options.logDir, `vm-${vmid}.log`),
      drive: (drive) => this.driveFile(drive),
      plug: (key) => own(`${key}.plug`),
    };
  }

  private driveFile(drive: Drive): string | undefined {
    if (drive.file === "none" || drive.file === "cdrom") return undefined;
    if (drive.file.startsWith("/")) return drive.file;
    return isCdrom(drive) && !isCloudInit(drive) ? this.options.storageFile(drive.file) : this.disks.file(drive.file);
  }

  /** Waits until the machine has ended; false if it still runs at the deadline. */
  private async ended(vmid: number, deadline: number): Promise<boolean> {
    while (qemuPid(vmid) !== undefined) {
      if (Date.now() >= deadline) return false;
      await sleep(100);
    }
    this.forget(vmid);
    return true;
  }

  private forget(vmid: number): void {
    this.load.forget(vmid);
    this.started.delete(vmid);
  }

  private monitor<T>(vmid: number, work: (qmp: Qmp) => Promise<T>): Promise<T> {
    return this.alone(`monitor ${vmid}`, () =>
      Qmp.session(this.files(vmid).monitor, work).catch((error: unknown) => {
        throw new Error(`VM ${vmid}: ${messageOf(error)}`);
      }),
    );
  }

  /** A socket of QEMU serves one client at a time. */
  private alone<T>(what: string, work: () => Promise<T>): Promise<T> {
    const mutex = this.mutexes.get(what) ?? new Mutex();
    this.mutexes.set(what, mutex);
    return mutex.runExclusive(work);
  }

  private cgroup(vmid: number): string {
    return `${this.options.cgroup}/${vmid}`;
  }
}
