import { generateKeyPairSync } from "node:crypto";
import * as fs from "node:fs";
import type { Socket } from "node:net";
import * as path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { AccessStore } from "../../lab/pve/access/accessStore";
import type { GuestDriver } from "../../lab/pve/driver";
import { type GuestConfigFile, parseGuestConfig } from "../../lab/pve/guestConfig";
import type { Journal } from "./journal";
import { readRemoteTask, type RemoteTask, ScriptFailure } from "./remoteTask";
import type { SimulatedMachines } from "./simulatedMachines";
import { serveShell } from "./simulatedShells";
import { answerOf } from "./simulatedTasks";
import { type KeyPair, newKeyPair } from "./sshKeys";

/** A line of the roster. */
export interface ServerLine {
  readonly vmid: number;
  readonly name: string;
}

/** What the roster wrote on the host for one cluster. */
export interface Roster {
  readonly servers: readonly ServerLine[];
  /** Gone from the plan, or with another VMID there, and not yet from the cluster. */
  former: readonly ServerLine[];
  readonly mark: string;
  readonly drainTimeout: string;
  readonly onBlocked: string;
  readonly allowControlPlaneLoss: boolean;
}

/** A key as K3s makes it for its admin. */
function newAdminKey(): string {
  const { privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  return privateKey.export({ type: "sec1", format: "pem" }) as string;
}

/** What outlives the process in the world of one test: the host's files and the cluster's nodes. */
export interface HostState {
  readonly hostKey: KeyPair;
  readonly rosters: Map<string, Roster>;
  /** Nodes that Kubernetes knows, with their version. */
  readonly members: Map<string, string>;
  /** Servers that are members of etcd; none where the only server has SQLite. */
  readonly etcd: Set<string>;
  /** Private key of the cluster's admin, PEM. */
  readonly adminKey: string;
  /** Numbers of creations that were begun and did not go on, by VMID. */
  readonly creations: Map<string, string>;
}

export interface SimulatedHostOptions {
  readonly journal: Journal;
  readonly machines: SimulatedMachines;
  /** The same guests as scripts start and stop them, faults included. */
  readonly driver: GuestDriver;
  /** The folder that stands for `/etc/pve`. */
  readonly etcPve: string;
  /** The host's own address; every other one is a guest's. */
  readonly address: string;
  /** Public keys of who may log in to the host. */
  readonly authorizedKeys: readonly string[];
  readonly state?: HostState;
}

/** Whether the guest carries the mark; none does where there is no guest. */
export function isOurs(conf: GuestConfigFile | undefined, mark: string): boolean {
  return (conf?.options.get("description") ?? "").trimEnd().endsWith(mark);
}

/**
 * A double of the shells of a Proxmox host and of all its guests: SSH, host keys and logins are real, no command is run.
 * Each script of the program is told by its name and arguments and answered as it would answer, with the effects that
 * other parts of the program rely on: configuration files, the roster, authorized keys, and who is in the cluster. What
 * the scripts themselves do is for tests on real machines to show.
 */
export class SimulatedHost {
  readonly state: HostState;
  /** Public keys of who may log in to the host. */
  readonly authorizedKeys: string[];
  /** How long a script takes, in milliseconds; a promise holds it up until something else has happened. */
  delay: (task: RemoteTask) => number | Promise<number> = () => 10;
  /** Every script that ran, in the order of its beginning. */
  readonly tasks: RemoteTask[] = [];
  private readonly failures = new Map<string, string>();

  constructor(private readonly options: SimulatedHostOptions) {
    this.authorizedKeys = [...options.authorizedKeys];
    this.state = options.state
      ? structuredClone(options.state)
      : {
          hostKey: newKeyPair(),
          rosters: new Map(),
          members: new Map(),
          etcd: new Set(),
          adminKey: newAdminKey(),
          creations: new Map(),
        };
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
    const exec = (command: string, stdin: string) => this.run(vmid, command, stdin);
    serveShell({ hostKey: disk.hostKey.private, authorizedKeys: () => disk.authorizedKeys, exec }, socket);
  }

  /** @param vmid the guest that runs the script; undefined is the host */
  private async run(vmid: number | undefined, command: string, stdin: string) {
    const { journal } = this.options;
    const task = readRemoteTask(command, stdin);
    this.tasks.push(task);
    const what = `${task.step} ${task.action}`;
    const entry = journal.begin("script", what);
    try {
      await sleep(await this.delay(task));
      const failure = this.failures.get(what);
      if (failure !== undefined) throw new ScriptFailure(failure);
      const outcome = await answerOf(this, task, vmid);
      return { status: 0, stdout: `${outcome}\n`, stderr: "" };
    } catch (error) {
      if (!(error instanceof ScriptFailure)) throw error;
      entry.failure = error.message;
      return { status: 1, stdout: "", stderr: `\nerror: ${task.step}: ${error.message}\n` };
    } finally {
      journal.end(entry);
    }
  }

  get driver(): GuestDriver {
    return this.options.driver;
  }

  get machines(): SimulatedMachines {
    return this.options.machines;
  }

  confFile(vmid: string | number): string {
    return path.join(this.options.etcPve, "lxc", `${vmid}.conf`);
  }

  /** A guest's configuration; undefined when there is no such guest. */
  conf(vmid: string): GuestConfigFile | undefined {
    const file = this.confFile(vmid);
    return fs.existsSync(file) ? parseGuestConfig(fs.readFileSync(file, "utf8")) : undefined;
  }

  /** The configurations of all guests, by VMID. */
  confs(): [vmid: string, conf: GuestConfigFile][] {
    const files = fs.readdirSync(path.dirname(this.confFile(0))).filter((file) => file.endsWith(".conf"));
    return files.map((file) => path.basename(file, ".conf")).map((vmid) => [vmid, this.conf(vmid)!]);
  }

  /** `pct destroy --force`. */
  async destroy(vmid: number, driver: GuestDriver = this.machines): Promise<void> {
    await driver.destroy(vmid, () => {});
    fs.rmSync(this.confFile(vmid));
    this.access.forgetGuest(vmid);
  }

  /** Users, roles and pools of Proxmox VE. */
  get access(): AccessStore {
    return new AccessStore(this.options.etcPve);
  }
}
