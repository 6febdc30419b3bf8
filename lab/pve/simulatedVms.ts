import { createHash, randomBytes } from "node:crypto";
import type { DiskCopy, GuestStatus, NewDisk, TaskLog, VmDriver } from "./driver";
import { failure } from "./errors";
import type { GuestConfig } from "./guestConfig";
import { parsePropertyString } from "./schema/propertyString";
import { SimulatedFiles } from "./simulatedFiles";
import { ipConfigFormat } from "./schema/vmFormats";
import { vmNetworkFormat } from "./vms/options";
import { isAgentEnabled } from "./vms/status";

/** The state of a simulated machine. */
export interface SimulatedVm {
  /** The configuration of its last start. */
  config: GuestConfig;
  /** Milliseconds since the epoch; undefined if it is stopped. */
  startedAt?: number;
  paused?: boolean;
  /** Options that were applied while it ran, in order. */
  readonly applied: string[];
  /** Unique to this machine; its id and host key derive from it. */
  readonly identity: string;
  /** Results of processes that the guest agent ran and nobody has read yet, by process ID. */
  readonly processes: Map<number, ProcessResult>;
  readonly files: SimulatedFiles;
}

/** A disk: its size, and the source of its copy. */
export interface SimulatedDisk {
  readonly bytes: number;
  /** Path of the image, or volume ID of the disk, that was copied. */
  readonly from?: string;
  readonly linked?: boolean;
}

/** How a process in a guest ended. */
export interface ProcessResult {
  readonly exitcode: number;
  readonly stdout?: string;
  readonly stderr?: string;
}

export interface SimulatedVmsOptions {
  /** How long each kind of work takes. Default 0. */
  readonly delayMs?: number;
  /** How long after its start a machine's guest agent answers. Default 0. */
  readonly agentDelayMs?: number;
  /** Machines that do not power off when asked. */
  readonly ignoresShutdown?: (vmid: number) => boolean;
  /** Runs a command in a guest. By default every command succeeds and prints nothing. */
  readonly run?: (vmid: number, command: readonly string[], input: string) => ProcessResult | Promise<ProcessResult>;
}

/**
 * Virtual machines that are records only: nothing runs in them. For tests that need no machine, only its surroundings, as
 * {@link SimulatedDriver} for containers. The guest agent answers as after a boot with the machine's cloud-init data.
 */
export class SimulatedVms implements VmDriver {
  readonly guests = new Map<number, SimulatedVm>();
  /** By volume ID. */
  readonly disks = new Map<string, SimulatedDisk>();
  /** Disks at the time of a snapshot, by volume ID and name of the snapshot. */
  private readonly snapshots = new Map<string, SimulatedDisk>();
  private nextPid = 1000;

  constructor(private readonly options: SimulatedVmsOptions = {}) {}

  async create(vmid: number, config: GuestConfig, disks: readonly NewDisk[], log: TaskLog): Promise<void> {
    await this.work();
    for (const disk of disks) await this.addDisk(vmid, disk, log);
    this.add(vmid, config);
  }

  async clone(vmid: number, newid: number, config: GuestConfig, copies: readonly DiskCopy[]): Promise<void> {
    await this.work();
    for (const copy of copies) await this.copyDisk(vmid, copy);
    this.add(newid, config);
  }

  async addDisk(_vmid: number, { volid, bytes, image }: NewDisk, log: TaskLog): Promise<void> {
    this.assertFree(volid);
    if (image !== undefined) log(`transferred ${bytes} bytes from '${image}' to '${volid}'`);
    this.disks.set(volid, { bytes, ...(image !== undefined && { from: image }) });
  }

  async copyDisk(_vmid: number, { from, to, linked }: DiskCopy): Promise<void> {
    await this.work();
    this.assertFree(to);
    this.disks.set(to, { bytes: this.disk(from).bytes, from, linked });
  }

  async renameDisk(_vmid: number, from: string, to: string): Promise<void> {
    const disk = this.disk(from);
    this.assertFree(to);
    this.disks.delete(from);
    this.disks.set(to, disk);
  }

  async growDisk(_vmid: number, volid: string, bytes: number): Promise<void> {
    this.disks.set(volid, { ...this.disk(volid), bytes });
  }

  async removeDisk(_vmid: number, volid: string): Promise<void> {
    this.disks.delete(volid);
  }

  async takeSnapshot(_vmid: number, name: string, volids: readonly string[]): Promise<void> {
    await this.work();
    for (const volid of volids) this.snapshots.set(`${volid}@${name}`, this.disk(volid));
  }

  async rollBack(_vmid: number, name: string, volids: readonly string[]): Promise<void> {
    await this.work();
    for (const volid of volids) {
      const snapshot = this.snapshots.get(`${volid}@${name}`);
      if (!snapshot) throw new Error(`no snapshot '${name}' of disk '${volid}'`);
      this.disks.set(volid, snapshot);
    }
  }

  async removeSnapshot(_vmid: number, name: string, volids: readonly string[]): Promise<void> {
    for (const volid of volids) this.snapshots.delete(`${volid}@${name}`);
  }

  async start(vmid: number, config: GuestConfig): Promise<void> {
    await this.work();
    const vm = this.known(vmid);
    vm.config = config;
    vm.startedAt = Date.now();
    vm.processes.clear();
    delete vm.paused;
  }

  async shutdown(vmid: number): Promise<boolean> {
    await this.work();
    if (this.options.ignoresShutdown?.(vmid)) return false;
    delete this.known(vmid).startedAt;
    return true;
  }

  async stop(vmid: number): Promise<void> {
    await this.work();
    delete this.known(vmid).startedAt;
  }

  async destroy(vmid: number): Promise<void> {
    await this.work();
    this.guests.delete(vmid);
    for (const volid of [...this.disks.keys()])
      if (new RegExp(`[:/](vm|base)-${vmid}-disk-\\d+(\\.\\w+)?$`).test(volid)) this.disks.delete(volid);
  }

  async reset(vmid: number): Promise<void> {
    const vm = this.running(vmid);
    vm.startedAt = Date.now();
    vm.processes.clear();
  }

  async pause(vmid: number): Promise<void> {
    this.running(vmid).paused = true;
  }

  async resume(vmid: number): Promise<void> {
    this.running(vmid).paused = false;
  }

  async apply(vmid: number, _config: GuestConfig, changed: readonly string[]): Promise<void> {
    this.known(vmid).applied.push(...changed);
  }

  async status(vmid: number): Promise<GuestStatus> {
    const vm = this.guests.get(vmid);
    if (vm?.startedAt === undefined) return { running: false, uptimeSeconds: 0, cpu: 0, memBytes: 0, diskBytes: 0 };
    return {
      running: true,
      ...(vm.paused && { paused: true }),
      pid: 10_000 + vmid,
      uptimeSeconds: (Date.now() - vm.startedAt) / 1000,
      cpu: 0.01,
      memBytes: 512 * 1024 ** 2,
      diskBytes: 0,
    };
  }

  async agent(vmid: number, command: string, args: Readonly<Record<string, unknown>>): Promise<unknown> {
    const vm = this.guests.get(vmid);
    const isUp = vm?.startedAt !== undefined && Date.now() - vm.startedAt >= (this.options.agentDelayMs ?? 0);
    if (!isUp || vm.paused || !isAgentEnabled(vm.config.options.get("agent")))
      throw failure("QEMU guest agent is not running");
    const path = String(args["path"]);
    switch (command) {
      case "network-get-interfaces":
        return interfaces(vm.config);
      case "get-host-name":
        return { "host-name": hostname(vmid, vm.config) };
      case "get-osinfo":
        return { id: "debian", name: "Debian GNU/Linux", "version-id": "12", machine: "x86_64" };
      case "get-time":
        return Date.now() * 1_000_000;
      case "get-vcpus":
        return [{ "logical-id": 0, online: true, "can-offline": false }];
      case "get-fsinfo":
        return [{ name: "sda1", mountpoint: "/", type: "ext4", disk: [] }];
      case "get-users":
        return [];
      case "fsfreeze-status":
        return "thawed";
      case "fstrim":
        return { paths: [] };
      case "info":
        return { version: "7.2.22", supported_commands: [] };
      case "exec":
        return this.exec(vmid, vm, args);
      case "exec-status":
        return status(vm, Number(args["pid"]));
      case "file-open":
        return vm.files.open(path, (args["mode"] as string | undefined) ?? "r", fileContent(vmid, vm, path));
      case "file-seek":
        return vm.files.seek(Number(args["handle"]), Number(args["offset"]));
      case "file-read":
        return vm.files.read(Number(args["handle"]), Number(args["count"]));
      case "file-write":
        return vm.files.write(Number(args["handle"]), String(args["buf-b64"]));
      case "file-close":
        return vm.files.close(Number(args["handle"]));
      default:
        return {};
    }
  }

  /** Runs a command in a guest to its end. */
  protected async run(vmid: number, command: readonly string[], input: string): Promise<ProcessResult> {
    return this.options.run?.(vmid, command, input) ?? { exitcode: 0 };
  }

  private async exec(vmid: number, vm: SimulatedVm, args: Readonly<Record<string, unknown>>): Promise<{ pid: number }> {
    const command = [args["path"], ...((args["arg"] as unknown[] | undefined) ?? [])].map(String);
    const input = Buffer.from((args["input-data"] as string | undefined) ?? "", "base64").toString();
    const pid = this.nextPid++;
    vm.processes.set(pid, await this.run(vmid, command, input));
    return { pid };
  }

  private add(vmid: number, config: GuestConfig): void {
    if (this.guests.has(vmid)) throw new Error(`machine ${vmid} exists already`);
    const identity = randomBytes(16).toString("hex");
    this.guests.set(vmid, { config, applied: [], identity, processes: new Map(), files: new SimulatedFiles() });
  }

  private known(vmid: number): SimulatedVm {
    const vm = this.guests.get(vmid);
    if (!vm) throw new Error(`no machine ${vmid}`);
    return vm;
  }

  private running(vmid: number): SimulatedVm {
    const vm = this.known(vmid);
    if (vm.startedAt === undefined) throw new Error(`VM ${vmid} not running`);
    return vm;
  }

  private disk(volid: string): SimulatedDisk {
    const disk = this.disks.get(volid);
    if (!disk) throw new Error(`no disk '${volid}'`);
    return disk;
  }

  private assertFree(volid: string): void {
    if (this.disks.has(volid)) throw new Error(`disk '${volid}' exists already`);
  }

  private async work(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, this.options.delayMs ?? 0));
  }
}

function hostname(vmid: number, { options }: GuestConfig): string {
  return (options.get("name") ?? `VM${vmid}`).replace(/\..*$/, "");
}

/** Links with the addresses that cloud-init gives them; one with DHCP gets none here. */
function interfaces({ options }: GuestConfig): unknown[] {
  const networks = [...options.keys()].filter((key) => /^net\d+$/.test(key)).sort();
  return [
    link("lo", "00:00:00:00:00:00", ["127.0.0.1/8", "::1/128"]),
    ...networks.map((key) => {
      const index = key.slice("net".length);
      const { macaddr = "" } = parsePropertyString(options.get(key)!, vmNetworkFormat);
      const { ip, ip6 } = parsePropertyString(options.get(`ipconfig${index}`) ?? "", ipConfigFormat);
      return link(`eth${index}`, macaddr.toLowerCase(), [ip, ip6]);
    }),
  ];
}

function link(name: string, mac: string, addresses: readonly (string | undefined)[]): Record<string, unknown> {
  const counts = ["bytes", "dropped", "errs", "packets"].flatMap((what) => [`rx-${what}`, `tx-${what}`]);
  return {
    ...{ name, "hardware-address": mac, statistics: Object.fromEntries(counts.map((key) => [key, 0])) },
    "ip-addresses": addresses.flatMap((address) => {
      const [ip = "", prefix] = (address ?? "").split("/");
      if (prefix === undefined) return [];
      return [{ "ip-address": ip, "ip-address-type": ip.includes(":") ? "ipv6" : "ipv4", prefix: Number(prefix) }];
    }),
  };
}

function status(vm: SimulatedVm, pid: number): Record<string, unknown> {
  const result = vm.processes.get(pid);
  if (!result) throw failure(`Agent error: Invalid parameter 'pid'`);
  vm.processes.delete(pid);
  const encoded = (text: string) => Buffer.from(text).toString("base64");
  return {
    ...{ exited: true, exitcode: result.exitcode },
    ...(result.stdout && { "out-data": encoded(result.stdout) }),
    ...(result.stderr && { "err-data": encoded(result.stderr) }),
  };
}

/** The files that a first boot makes: the machine's name, its id and its SSH host key, each in its real form. */
function fileContent(vmid: number, vm: SimulatedVm, path: string): string | undefined {
  const name = hostname(vmid, vm.config);
  const files: Readonly<Record<string, string>> = {
    "/etc/hostname": `${name}\n`,
    "/etc/machine-id": `${vm.identity}\n`,
    "/etc/ssh/ssh_host_ed25519_key.pub": `ssh-ed25519 ${hostKey(vm.identity)} root@${name}\n`,
  };
  return files[path];
}

/** A text in the form of an ed25519 public key, without a private key. */
function hostKey(identity: string): string {
  const field = (bytes: Buffer) => Buffer.concat([Buffer.from([0, 0, 0, bytes.length]), bytes]);
  const key = createHash("sha256").update(identity).digest();
  return Buffer.concat([field(Buffer.from("ssh-ed25519")), field(key)]).toString("base64");
}
