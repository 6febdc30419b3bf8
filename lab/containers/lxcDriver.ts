import * as fs from "node:fs";
import * as path from "node:path";
import { run } from "../host/run";
import type { ContainerDriver, GuestInterface, GuestSource, GuestStatus, TaskLog } from "../pve/driver";
import type { GuestConfig } from "../pve/guestConfig";
import { limitLines, removeCgroup, setLimit, usage, v1Twin } from "./cgroups";
import { systemdVersion } from "./baseImage";
import { CpuAssignment } from "./cpuAssignment";
import { CpuLoad } from "./cpuLoad";
import { newDiskFolder } from "./diskFolder";
import { DiskUsage } from "./diskUsage";
import { guestInterfaces, processUptime } from "./inspect";
import { lxcConfig, overriddenFeatures } from "./lxcConfig";
import { LxcTools } from "./lxcTools";
import { MachineTraits, writeTraits } from "./machineTraits";
import { guestNetworks } from "./network";
import { setUpBeforeStart, setUpClone, setUpNewGuest } from "./setup";

export interface LxcDriverOptions {
  /** Folder of all containers, as LXC and PVE have it: `<lxcPath>/<vmid>/{config,rootfs}`. */
  readonly lxcPath: string;
  readonly logDir: string;
  /** cgroup of the containers, below the root of each hierarchy. */
  readonly cgroup: string;
  readonly traits: MachineTraits;
}

/**
 * Guests as LXC containers: what a Proxmox node does with them, on this machine.
 *
 * Privileged containers with one root disk only. The disk is a folder without a quota, as on a PVE directory storage with
 * `subvol` disks of size 0: its size is recorded by the API and not enforced.
 */
export class LxcDriver implements ContainerDriver {
  private readonly lxc: LxcTools;
  private readonly cpus = new CpuAssignment();
  private readonly disks = new DiskUsage();
  private readonly load = new CpuLoad();

  constructor(private readonly options: LxcDriverOptions) {
    this.lxc = new LxcTools(options.lxcPath, options.logDir);
  }

  async create(vmid: number, config: GuestConfig, from: GuestSource, log: TaskLog): Promise<void> {
    assertSupported(config);
    const rootfs = this.rootfs(vmid);
    fs.rmSync(path.dirname(rootfs), { recursive: true, force: true });
    await newDiskFolder(rootfs, this.options.lxcPath);
    try {
      await run("tar", ["-xpf", from.template, "--zstd", "--numeric-owner", "--xattrs", "-C", rootfs]);
      log("Detected container architecture: amd64");
      if (isManaged(config)) {
        await setUpNewGuest(rootfs, config, from, log);
        warnOfNesting(config, log);
      }
      writeTraits(rootfs, this.options.traits);
    } catch (error) {
      await this.destroy(vmid);
      throw error;
    }
  }

  async clone(vmid: number, newid: number, config: GuestConfig, log: TaskLog): Promise<void> {
    assertSupported(config);
    const rootfs = this.rootfs(newid);
    fs.rmSync(path.dirname(rootfs), { recursive: true, force: true });
    await newDiskFolder(rootfs, this.options.lxcPath);
    try {
      await run("cp", ["-a", "--reflink=auto", `${this.rootfs(vmid)}/.`, rootfs]);
      if (isManaged(config)) {
        setUpClone(rootfs);
        warnOfNesting(config, log);
      }
    } catch (error) {
      await this.destroy(newid);
      throw error;
    }
  }

  async start(vmid: number, config: GuestConfig, log: TaskLog): Promise<void> {
    assertSupported(config);
    assertBridges(config);
    const rootfs = this.rootfs(vmid);
    if (isManaged(config)) {
      setUpBeforeStart(rootfs, config);
      warnOfNesting(config, log);
    }
    const overridden = overriddenFeatures(config);
    if (overridden) log(overridden);
    const cpus = this.cpus.assign(vmid, config);
    const text = lxcConfig(vmid, config, { ...this.options, ...(cpus !== undefined && { cpus }) });
    fs.writeFileSync(path.join(path.dirname(rootfs), "config"), text);
    await this.lxc.start(vmid);
  }

  async shutdown(vmid: number, timeoutSeconds: number, log: TaskLog): Promise<boolean> {
    if ((await this.lxc.initPid(vmid)) === undefined) return true;
    if (!(await this.lxc.shutdown(vmid, timeoutSeconds))) {
      log(`command 'lxc-stop -n ${vmid} --nokill --timeout ${timeoutSeconds}' failed: exit code 1`);
      return false;
    }
    await this.ended(vmid);
    return true;
  }

  async stop(vmid: number): Promise<void> {
    if ((await this.lxc.initPid(vmid)) === undefined) return;
    await this.lxc.kill(vmid);
    await this.ended(vmid);
  }

  async destroy(vmid: number): Promise<void> {
    this.cpus.release(vmid);
    this.disks.forget(vmid);
    this.load.forget(vmid);
    await fs.promises.rm(path.dirname(this.rootfs(vmid)), { recursive: true, force: true });
    fs.rmSync(`${this.options.logDir}/lxc-${vmid}.log`, { force: true });
    removeCgroup(this.cgroup(vmid));
  }

  /** Nothing to grow: a folder has no size of its own. */
  async resize(): Promise<void> {}

  async apply(vmid: number, config: GuestConfig, changed: readonly string[]): Promise<void> {
    if (!changed.some((key) => ["memory", "swap", "cpulimit", "cpuunits"].includes(key))) return;
    if ((await this.lxc.initPid(vmid)) === undefined) return;
    const { cgroupV1 } = this.options.traits;
    for (const line of limitLines(config).flatMap((line) => [line, ...v1Twin(line)])) {
      setLimit(this.cgroup(vmid), cgroupV1, line);
    }
  }

  async status(vmid: number): Promise<GuestStatus> {
    const pid = await this.lxc.initPid(vmid);
    if (pid === undefined) return { running: false, uptimeSeconds: 0, cpu: 0, memBytes: 0, diskBytes: 0 };
    const { memBytes, cpuSeconds } = usage(this.cgroup(vmid), this.options.traits.cgroupV1);
    return {
      running: true,
      pid,
      uptimeSeconds: processUptime(pid),
      cpu: this.load.since(vmid, cpuSeconds, this.cpus.count(vmid)),
      memBytes,
      diskBytes: this.disks.of(vmid, this.rootfs(vmid)),
    };
  }

  async interfaces(vmid: number): Promise<GuestInterface[]> {
    const pid = await this.lxc.initPid(vmid);
    return pid === undefined ? [] : guestInterfaces(pid);
  }

  private async ended(vmid: number): Promise<void> {
    await this.lxc.awaitStopped(vmid);
    this.cpus.release(vmid);
    this.load.forget(vmid);
  }

  private rootfs(vmid: number): string {
    return path.join(this.options.lxcPath, String(vmid), "rootfs");
  }

  private cgroup(vmid: number): string {
    return `${this.options.cgroup}/${vmid}`;
  }
}

function isManaged({ options }: GuestConfig): boolean {
  return options.get("ostype") !== "unmanaged";
}

/** Refuses what a Proxmox node can do and the lab cannot, instead of ignoring it. */
function assertSupported({ options, raw }: GuestConfig): void {
  const refuse = (what: string) => {
    throw new Error(`the lab's containers have no ${what}`);
  };
  if (options.get("unprivileged") === "1") refuse("user namespace: unprivileged=0 is needed");
  // A folder of the host is mounted; the lab's storages have no volumes to mount.
  for (const [key, value] of options)
    if (/^dev\d+$/.test(key) || (/^mp\d+$/.test(key) && !value.startsWith("/")))
      refuse(`volumes as mount points or passed-through devices (${key})`);
  if (options.has("hookscript")) refuse("hook scripts");
  if (raw.some(([key]) => key === "lxc.idmap")) refuse("user namespace (lxc.idmap)");
}

/** `check_systemd_nesting`: PVE warns of every systemd newer than 241, with the version in the guest. */
function warnOfNesting({ options }: GuestConfig, log: TaskLog): void {
  if ((options.get("features") ?? "").split(",").includes("nesting=1")) return;
  log(`WARN: Systemd ${systemdVersion} detected. You may need to enable nesting.`);
}

function assertBridges(config: GuestConfig): void {
  for (const { bridge } of guestNetworks(config)) {
    if (bridge && !fs.existsSync(`/sys/class/net/${bridge}/bridge`))
      throw new Error(`bridge '${bridge}' does not exist`);
  }
}
