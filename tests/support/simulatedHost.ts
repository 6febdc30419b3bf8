import { spawn } from "node:child_process";
import * as fs from "node:fs";
import type { Socket } from "node:net";
import * as path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { AccessStore } from "../../lab/pve/access/accessStore";
import type { ContainerDriver, MachineDriver } from "../../lab/pve/driver";
import { type GuestConfigFile, parseGuestConfig } from "../../lab/pve/guestConfig";
import { MACHINE_KINDS, type MachineKind } from "../../plan/machineKinds";
import { parseStep } from "../../plan/steps";
import { acknowledgement } from "../../remote/answer";
import { endOf } from "./endOf";
import { HastyClock, makeCommands, makeHastySleep, serveCommands } from "./doubles/commands";
import { answerInGuest } from "./doubles/guestCommands";
import { answerOnHost, HOST_COMMANDS } from "./doubles/hostCommands";
import { isOutOfReach } from "./doubles/nixosGuest";
import { answerOnNode } from "./doubles/nodeScripts";
import { type SimulatedCluster, SimulatedClusters } from "./doubles/simulatedCluster";
import { type IsolatedProcesses, makeRoot } from "./isolatedProcesses";
import type { Journal } from "./journal";
import { readRemoteTask, type RemoteTask, ScriptFailure } from "./remoteTask";
import type { SimulatedMachines } from "./simulatedMachines";
import { serveShell } from "./simulatedShells";
import { type KeyPair, newKeyPair } from "./sshKeys";
import type { VmRoots } from "./vmRoots";

/** What a snapshot must keep besides files: the host's key, and what the servers know. */
export interface HostState {
  readonly hostKey: KeyPair;
  /** By the hash of the CA. */
  readonly clusters: Map<string, SimulatedCluster>;
}

export interface SimulatedHostOptions {
  readonly journal: Journal;
  readonly machines: SimulatedMachines;
  readonly vms: VmRoots;
  /** The same containers, with injected faults. */
  readonly driver: ContainerDriver;
  /** The host's files; `etc/pve` in it is the API's. */
  readonly root: string;
  /** Folder of the doubles of the host's commands. */
  readonly commands: string;
  /** Socket on which the API serves root. */
  readonly apiSocket: string;
  readonly processes: IsolatedProcesses;
  /** The host's address; every other address is a guest's. */
  readonly address: string;
  /** Public keys that may log in to the host. */
  readonly authorizedKeys: readonly string[];
  readonly state?: HostState;
}

interface Finished {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * A double of a Proxmox host and of the shells of all its guests. SSH, host keys and logins are real. `sh` runs each script that
 * reaches the host, unchanged, in the host's own root: `PATH`, `/etc/pve`, `/var/lib` and `/run` are the host's. The programs in it
 * are this machine's, and doubles of what only a Proxmox host has: `pct` and `qm` use the API that the program calls. A script's
 * commands in a guest run in the guest's root, with doubles of `k3s`, `systemctl` and `ip`. Time passes ten times as fast there.
 *
 * Two kinds of scripts are doubles: those of the nodes (`nodeScripts.ts`), except on NixOS; and `preflight`, which checks what only
 * a real host has and would find problems before the claims, which are tested here. tests/scripts and tests/lab/doctor run it.
 */
export class SimulatedHost {
  readonly state: HostState;
  /** Public keys that may log in to the host. */
  readonly authorizedKeys: string[];
  /** Delay before a script, in milliseconds. A test may return a promise to wait until something else has happened. */
  delay: (task: RemoteTask) => number | Promise<number> = () => 0;
  /** Every script that has run, in the order in which they began. */
  readonly tasks: RemoteTask[] = [];
  readonly clusters: SimulatedClusters;
  private readonly failures = new Map<string, string>();
  private clock?: HastyClock;
  private endAnswers = (): void => {};

  constructor(private readonly options: SimulatedHostOptions) {
    this.authorizedKeys = [...options.authorizedKeys];
    this.state = options.state ? structuredClone(options.state) : { hostKey: newKeyPair(), clusters: new Map() };
    const { machines, driver, vms } = options;
    const clusters = new SimulatedClusters(machines, this.state.clusters);
    this.clusters = clusters;
    machines.answer = (vmid) => (call) => answerInGuest({ vmid, machines, driver, clusters, vms }, call);
  }

  /** Makes the host ready to run scripts. */
  async open(): Promise<void> {
    const { root, commands, processes, machines, apiSocket } = this.options;
    makeCommands(commands, HOST_COMMANDS);
    makeHastySleep(commands);
    if (!fs.existsSync(path.join(root, "usr"))) makeRoot(root);
    fs.mkdirSync(path.join(root, "run/lock"), { recursive: true });
    const uptime = path.join(commands, "../uptime");
    this.clock = new HastyClock(uptime);
    await processes.mountRoot(root, commands, { "/proc/uptime": uptime });
    this.endAnswers = await serveCommands(root, (call) => answerOnHost({ root, machines, apiSocket }, call));
  }

  close(): void {
    this.endAnswers();
    this.clock?.stop();
  }

  /** Makes a script fail before it does anything. `what` is its name in the journal: `k3s-master-claim create`. */
  failAt(what: string, cause: string): void {
    this.failures.set(what, cause);
  }

  clearFailures(): void {
    this.failures.clear();
  }

  /** Serves a connection to port 22 of the host or of a guest; an address without a running guest refuses it. */
  serve(socket: Socket): void {
    if (socket.localAddress === this.options.address) {
      const exec = (command: string, stdin: string) => this.run(undefined, command, stdin);
      return serveShell(
        { hostKey: this.state.hostKey.private, authorizedKeys: () => this.authorizedKeys, exec },
        socket,
      );
    }
    const vmid = this.options.machines.at(socket.localAddress ?? "");
    if (vmid === undefined) return void socket.resetAndDestroy();
    const disk = this.options.machines.disk(vmid);
    // The client is in the homelab's network. If a packet filter would drop it, the connection is reset.
    if (disk.firewall?.includes("elements = { 192.168.2.0/24 }") === false || isOutOfReach(disk))
      return void socket.resetAndDestroy();
    const exec = (command: string, stdin: string) => this.run(vmid, command, stdin);
    serveShell({ hostKey: disk.hostKey.private, authorizedKeys: () => disk.authorizedKeys, exec }, socket);
  }

  /** @param vmid the guest that runs the script; undefined for the host */
  private async run(vmid: number | undefined, command: string, stdin: string): Promise<Finished> {
    const { journal } = this.options;
    const task = readRemoteTask(command, stdin);
    this.tasks.push(task);
    const what = `${task.step} ${task.action}`;
    const entry = journal.begin("script", what);
    try {
      await sleep(await this.delay(task));
      const failure = this.failures.get(what);
      if (failure !== undefined) throw new ScriptFailure(failure);
      const finished = await this.answer(vmid, task, command, stdin);
      if (finished.status !== 0) entry.failure = finished.stderr;
      return finished;
    } catch (error) {
      if (!(error instanceof ScriptFailure)) throw error;
      entry.failure = error.message;
      return { status: 1, stdout: "", stderr: `\nerror: ${task.step}: ${error.message}\n` };
    } finally {
      journal.end(entry);
    }
  }

  private async answer(vmid: number | undefined, task: RemoteTask, command: string, stdin: string): Promise<Finished> {
    const { machines } = this.options;
    const told = (outcome: string): Finished => {
      const stdout = `${outcome}\n${acknowledgement(task.step, task.action)}\n`;
      return { status: 0, stdout, stderr: "" };
    };
    // On NixOS the system itself provides the files of K3s, so the node's scripts have all that they need.
    if (vmid !== undefined && machines.disk(vmid).isNixos) return this.shell(machines.disk(vmid).root, command, stdin);
    if (vmid !== undefined) {
      const options = this.conf(String(vmid))?.options;
      const hostname = options?.get("hostname") ?? options?.get("name");
      return told(await answerOnNode({ machines, clusters: this.clusters, vmid, hostname }, task));
    }
    if (parseStep(task.step)?.step === "preflight") return told("the Proxmox host is ready");
    return this.shell(this.options.root, command, stdin);
  }

  /** Runs a command line on the machine with this root, as sshd would. */
  private async shell(root: string, command: string, stdin: string): Promise<Finished> {
    const { processes } = this.options;
    const [program, ...args] = [...processes.enter, "chroot", root, "sh", "-c", command];
    const child = spawn(program, args, { cwd: "/", env: { PATH: process.env["PATH"], HOME: "/root" }, stdio: "pipe" });
    const { code, ...output } = await endOf(child, stdin);
    return { status: code ?? 255, ...output };
  }

  get driver(): ContainerDriver {
    return this.options.driver;
  }

  /** Versions of all Node objects in Kubernetes, by name. */
  get members(): Map<string, string> {
    return this.clusters.members;
  }

  /** Nodes whose server is a member of etcd; empty if there is one server with SQLite. */
  get etcd(): Set<string> {
    return this.clusters.etcd;
  }

  /** Texts of a file that the roster keeps on the host, one for each cluster that has it. */
  kept(file: "servers" | "former" | "policy" | "mark"): string[] {
    const files = fs.globSync(`var/lib/proxmox-k3s/*/${file}`, { cwd: this.options.root });
    return files.map((each) => fs.readFileSync(path.join(this.options.root, each), "utf8"));
  }

  /** Writes a file of the host. */
  put(file: string, text: string): void {
    const target = path.join(this.options.root, file);
    fs.mkdirSync(path.dirname(target), { recursive: true });
    fs.writeFileSync(target, text);
  }

  remove(file: string): void {
    fs.rmSync(path.join(this.options.root, file));
  }

  /** A guest's configuration file; if there is no such guest, the path for a guest of this kind. */
  confFile(vmid: string | number, kind: MachineKind = "lxc"): string {
    const file = (of: MachineKind): string =>
      path.join(this.options.root, "etc/pve", MACHINE_KINDS[of].folder, `${vmid}.conf`);
    return [file("vm"), file("lxc")].find((each) => fs.existsSync(each)) ?? file(kind);
  }

  /** A guest's configuration; undefined if there is no such guest. */
  conf(vmid: string): GuestConfigFile | undefined {
    const file = this.confFile(vmid);
    return fs.existsSync(file) ? parseGuestConfig(fs.readFileSync(file, "utf8")) : undefined;
  }

  /** The driver of a guest, of either kind. */
  driverOf(vmid: number): MachineDriver {
    const { machines, vms } = this.options;
    return vms.guests.has(vmid) ? vms : machines;
  }

  /** `pct destroy --force`, or `qm destroy` of a stopped machine. */
  async destroy(vmid: number, driver = this.driverOf(vmid)): Promise<void> {
    await driver.destroy(vmid, () => {});
    fs.rmSync(this.confFile(vmid));
    this.access.forgetGuest(vmid);
  }

  /** Users, roles and pools of Proxmox VE. */
  get access(): AccessStore {
    return new AccessStore(path.join(this.options.root, "etc/pve"));
  }
}
