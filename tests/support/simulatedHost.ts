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

/** What outlives the process in the world of one test, besides files: the host's own key, and what the servers know. */
export interface HostState {
  readonly hostKey: KeyPair;
  /** By the hash of the CA. */
  readonly clusters: Map<string, SimulatedCluster>;
}

export interface SimulatedHostOptions {
  readonly journal: Journal;
  readonly machines: SimulatedMachines;
  readonly vms: VmRoots;
  /** The same containers with the faults that strike them. */
  readonly driver: ContainerDriver;
  /** The host's files; `etc/pve` in it is the API's. */
  readonly root: string;
  /** Folder of the host's commands that are doubles. */
  readonly commands: string;
  /** Socket on which the API serves root. */
  readonly apiSocket: string;
  readonly processes: IsolatedProcesses;
  /** The host's own address; every other one is a guest's. */
  readonly address: string;
  /** Public keys of who may log in to the host. */
  readonly authorizedKeys: readonly string[];
  readonly state?: HostState;
}

interface Finished {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * A double of a Proxmox host and of the shells of all its guests. SSH, host keys and logins are real. A script that reaches
 * the host is run by `sh` as it came, in a root of the host's own (`PATH`, `/etc/pve`, `/var/lib`, `/run` are the host's), with
 * this machine's programs and doubles of those that a Proxmox host has besides: `pct` and `qm` over the API that the program calls.
 * What a script runs in a guest is run in the guest's root, with doubles of `k3s`, `systemctl` and `ip`. Time goes by ten
 * times as fast there.
 *
 * Two kinds of scripts are doubles themselves: what runs on the nodes (`nodeScripts.ts`), unless they have NixOS, and `preflight`, which looks at what
 * only a real host has and would find what the claims are to find first: tests/scripts and tests/lab/doctor run it.
 */
export class SimulatedHost {
  readonly state: HostState;
  /** Public keys of who may log in to the host. */
  readonly authorizedKeys: string[];
  /** How long a script waits before it begins, in milliseconds; a promise holds it up until something else has happened. */
  delay: (task: RemoteTask) => number | Promise<number> = () => 0;
  /** Every script that ran, in the order of its beginning. */
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

  /** From now on a script fails before it does anything. `what` is as in the journal: `k3s-master-claim create`. */
  failAt(what: string, cause: string): void {
    this.failures.set(what, cause);
  }

  mend(): void {
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
    // Who connects is in the network of the homelab. A packet filter that drops it is simulated by an end of the connection.
    if (disk.firewall?.includes("elements = { 192.168.2.0/24 }") === false || isOutOfReach(disk))
      return void socket.resetAndDestroy();
    const exec = (command: string, stdin: string) => this.run(vmid, command, stdin);
    serveShell({ hostKey: disk.hostKey.private, authorizedKeys: () => disk.authorizedKeys, exec }, socket);
  }

  /** @param vmid the guest that runs the script; undefined is the host */
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
    // The files of K3s come from the system there, so nothing is missing that the node's own scripts need.
    if (vmid !== undefined && machines.disk(vmid).isNixos) return this.shell(machines.disk(vmid).root, command, stdin);
    if (vmid !== undefined) {
      const options = this.conf(String(vmid))?.options;
      const hostname = options?.get("hostname") ?? options?.get("name");
      return told(await answerOnNode({ machines, clusters: this.clusters, vmid, hostname }, task));
    }
    if (parseStep(task.step)?.step === "preflight") return told("the Proxmox host is ready");
    return this.shell(this.options.root, command, stdin);
  }

  /** Runs a command line on the machine with this root, as its sshd would. */
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

  /** Versions of all Nodes that Kubernetes knows, by name. */
  get members(): Map<string, string> {
    return this.clusters.members;
  }

  /** Nodes whose server is a member of etcd; none where the only server has SQLite. */
  get etcd(): Set<string> {
    return this.clusters.etcd;
  }

  /** The text of a file that the roster keeps on the host, for each cluster that has one. */
  kept(file: "servers" | "former" | "policy" | "mark"): string[] {
    const files = fs.globSync(`var/lib/proxmox-k3s/*/${file}`, { cwd: this.options.root });
    return files.map((each) => fs.readFileSync(path.join(this.options.root, each), "utf8"));
  }

  /** Writes a file of the host's. */
  put(file: string, text: string): void {
    const target = path.join(this.options.root, file);
    fs.mkdirSync(path.dirname(target), { recursive: true });
    fs.writeFileSync(target, text);
  }

  remove(file: string): void {
    fs.rmSync(path.join(this.options.root, file));
  }

  /** A guest's configuration file; where there is no guest, that of one of the kind. */
  confFile(vmid: string | number, kind: MachineKind = "lxc"): string {
    const file = (of: MachineKind): string =>
      path.join(this.options.root, "etc/pve", MACHINE_KINDS[of].folder, `${vmid}.conf`);
    return [file("vm"), file("lxc")].find((each) => fs.existsSync(each)) ?? file(kind);
  }

  /** A guest's configuration; undefined when there is no such guest. */
  conf(vmid: string): GuestConfigFile | undefined {
    const file = this.confFile(vmid);
    return fs.existsSync(file) ? parseGuestConfig(fs.readFileSync(file, "utf8")) : undefined;
  }

  /** What runs a guest, whichever kind it is of. */
  driverOf(vmid: number): MachineDriver {
    const { machines, vms } = this.options;
    return vms.guests.has(vmid) ? vms : machines;
  }

  /** `pct destroy --force`, or `qm destroy` of a machine that was stopped. */
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
