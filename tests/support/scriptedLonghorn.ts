import * as fs from "node:fs";
import * as path from "node:path";

import type { CommandCall } from "./doubles/commands";
import { kubectl } from "./doubles/kubectl";
import { type LonghornNode, longhornNodes, placesOf } from "./doubles/longhornController";
import { type SimulatedCluster, SimulatedClusters } from "./doubles/simulatedCluster";
import { CREATION, MARK, ScriptedHost, type ScriptRun } from "./scriptedHost";
import type { SimulatedMachines } from "./simulatedMachines";

const CLUSTER_ID = "0123456789abcdef";
const CA = "ca";
export const NODES = ["k3s-master", "k3s-worker-01", "k3s-worker-02", "k3s-worker-03"] as const;

/**
 * A Proxmox host with the program's scripts, and a server and three agents behind it. `pct`, `kubectl` and Longhorn's controllers
 * are doubles; waiting takes no time.
 */
export class ScriptedLonghorn {
  readonly host = new ScriptedHost();
  readonly cluster: SimulatedCluster;
  readonly vmIds = new Map<string, number>(NODES.map((name, at) => [name, 100 + at]));
  /** VMIDs of stopped guests. */
  readonly stopped = new Set<number>();
  /** The commands of kubectl, in order. */
  readonly asked: string[] = [];
  /** Arguments and input of shells in guests. */
  readonly shells: string[] = [];
  /** Runs before each command of kubectl is answered. */
  meanwhile: (question: string) => void = () => {};
  /** Commands of kubectl that the API does not answer. */
  isRefused: (question: string) => boolean = () => false;
  /** Whether a shell in a guest succeeds. */
  endsWell: (shell: string) => boolean = () => true;
  /** What a shell in a guest prints. */
  prints: (shell: string, vmid: number) => string = () => "";
  private readonly clusters: SimulatedClusters;
  private end = (): void => {};

  constructor() {
    this.host.hurry();
    fs.mkdirSync(this.file(""), { recursive: true });
    fs.writeFileSync(this.file("servers"), `100 ${NODES[0]}\n`);
    fs.writeFileSync(this.file("mark"), MARK);
    this.policy();
    for (const [name, vmid] of this.vmIds) {
      this.host.conf(vmid, `#creation ${CREATION} of ${MARK}\nhostname: ${name}\nlxc.cap.drop:\n`);
      this.host.record("prepared", vmid);
    }
    const disks = new Map(
      [...this.vmIds].map(([name, vmid]) => {
        const role = name === NODES[0] ? "server" : "agent";
        return [vmid, { hasK3sUp: true, k3s: { role, name, caHash: CA, version: "v1", config: "", token: "" } }];
      }),
    );
    const machines = { disks, isRunning: (vmid: number) => !this.stopped.has(vmid) } as unknown as SimulatedMachines;
    this.clusters = new SimulatedClusters(machines, new Map());
    this.cluster = this.clusters.of(CA);
    for (const name of NODES)
      this.cluster.nodes.set(name, { version: "v1", unschedulable: false, taints: [], labels: {}, annotations: {} });
  }

  async open(): Promise<this> {
    this.end = await this.host.answer(["pct"], (call) => this.pct(call));
    return this;
  }

  close(): void {
    this.end();
  }

  /** Writes the roster's file `policy`. */
  policy(own: Readonly<Record<string, string>> = {}): void {
    const all = { DRAIN_TIMEOUT: "5", EVICTION_TIMEOUT: "120", ON_BLOCKED: "stop", ON_LOCAL_DATA: "stop", ...own };
    const text = Object.entries({ ...all, ALLOW_CONTROL_PLANE_LOSS: "no" }).map(([key, value]) => `${key}=${value}\n`);
    fs.writeFileSync(this.file("policy"), text.join(""));
  }

  leave(name: string): Promise<ScriptRun> {
    return this.host.scriptAnswered("kept-leave", "delete", { ...this.identity(name), MARK: "", ROLE: "agent" });
  }

  /** @param disks "serial GiB", one per line */
  ready(name: string, disks = "", labels = ""): Promise<ScriptRun> {
    const env = { VERSION: "v1", LABELS: labels, TAINTS: "", LONGHORN_DISKS: disks, ETCD: "no", TIMEOUT: "600" };
    return this.host.scriptAnswered("ready", "update", { ...this.identity(name), ...env, REPAIRS: "0" });
  }

  /** Runs the step that looks at the cluster. */
  status(): Promise<ScriptRun> {
    return this.host.scriptAnswered("status", "look", { CLUSTER_ID, RUN: "" });
  }

  /** Runs the step that looks at what runs in the cluster. @param nodes those of the plan */
  addons(nodes: readonly string[] = NODES): Promise<ScriptRun> {
    const mesh = nodes.map((name, at) => {
      return `${this.vmIds.get(name)} ${name} 192.168.2.${20 + at} ${name === NODES[0] ? "server" : "agent"}`;
    });
    return this.host.scriptAnswered("addons", "look", { CLUSTER_ID, MESH: mesh.join("\n") });
  }

  private identity(name: string): Record<string, string> {
    return { CLUSTER_ID, VMID: String(this.vmIds.get(name)), NAME: name };
  }

  /** A file that the host keeps for the cluster; empty if it does not exist. */
  note(file: string): string {
    return this.host.kept(`${CLUSTER_ID}/${file}`);
  }

  private file(name: string): string {
    return path.join(this.host.root, "state", CLUSTER_ID, name);
  }

  nodeOf(name: string): LonghornNode {
    return longhornNodes(this.cluster).find((each) => each.spec.name === name)!;
  }

  /** The nodes that have a replica of the volume. */
  placesOf(volume: string): string[] {
    return placesOf(this.cluster, volume);
  }

  /** The patches of Longhorn's objects. */
  get patches(): string[] {
    return this.asked.filter((question) => question.includes(" patch "));
  }

  private async pct(call: CommandCall): Promise<number> {
    const [verb, vmid = "", ...rest] = call.args;
    const isUp = !this.stopped.has(Number(vmid));
    if (verb === "status") call.print(`status: ${isUp ? "running" : "stopped"}\n`);
    if (verb !== "exec") return 0;
    const args = rest.slice(rest.indexOf("--") + 1);
    if (!isUp) return 255;
    if (args[0] === "k3s") {
      const question = args.slice(2).join(" ");
      this.asked.push(question);
      this.meanwhile(question);
      if (this.isRefused(question)) return 1;
      return kubectl(
        { clusters: this.clusters, vmid: Number(vmid), startedAt: () => 0 },
        { ...call, args: args.slice(1) },
      );
    }
    if (args[0] !== "sh" || args[1] !== "-s") return 0;
    const shell = `${args.slice(3).join(" ")}\n${await call.input()}`;
    this.shells.push(shell);
    call.print(this.prints(shell, Number(vmid)));
    return this.endsWell(shell) ? 0 : 1;
  }
}
