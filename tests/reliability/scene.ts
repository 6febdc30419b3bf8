import * as fs from "node:fs";
import type { Homelab } from "../support/homelab";
import type { Row } from "./row";
import { SHORT, type Case } from "./strike";

/** A guest that is not ours, in every scene. */
const STRANGER = 99_000;
const STRANGERS_FILE = `#somebody else's\nhostname: nas\nmemory: 512\nrootfs: local-lvm:vm-${STRANGER}-disk-0,size=8G\nswap: 0\n`;

/** Several rows at once in one world, a worker for each, and what must hold of that world. */
export class Scene {
  readonly cases: readonly Case[];

  constructor(
    readonly lab: Homelab,
    rows: readonly Row[],
  ) {
    this.cases = rows.map((row, at) => ({
      row,
      node: `k3s-worker-${String(at + 1).padStart(2, "0")}`,
      vmid: 102 + at,
    }));
    fs.writeFileSync(lab.host.confFile(STRANGER), STRANGERS_FILE);
  }

  /** As many workers as there are rows; where a row runs into one of the program's bounds, its machine has a short one. */
  prepare(): void {
    this.lab.edit(({ pools }) => (pools.worker.count = this.cases.length));
    const shortened = this.cases.flatMap(({ row: { bound }, vmid }) =>
      typeof bound === "string" ? [[vmid, { [bound]: SHORT[bound] }]] : [],
    );
    const short = `(${JSON.stringify(Object.fromEntries(shortened))} as Record<number, object>)[node.vmId]`;
    this.lab.editProgram("components/machine/containerSettings.ts", (text) =>
      text.replace("...MACHINE_TIMEOUTS", `...MACHINE_TIMEOUTS, ...${short}`),
    );
  }

  /** VMIDs of containers in the state. */
  async managed(): Promise<number[]> {
    const { stdout } = await this.lab.pulumi("stack", "export");
    const resources: { type: string; inputs: { vmId: number } }[] = JSON.parse(stdout).deployment.resources ?? [];
    return resources
      .filter(({ type }) => type === "proxmoxve:index/containerLegacy:ContainerLegacy")
      .map(({ inputs }) => inputs.vmId);
  }

  /** Whether there is a guest, on the API's side. */
  isThere(vmid: number): boolean {
    return fs.existsSync(this.lab.host.confFile(vmid));
  }

  /** What the claim names for guests that were half made. */
  async recover(): Promise<void> {
    const { code, stdout, stderr } = await this.lab.command("recover", "--stack", "homelab", "--wait", "30", "--yes");
    expect([code, code === 0 ? "" : stdout + stderr]).toEqual([0, ""]);
  }

  expectStrangerUntouched(): void {
    expect(fs.readFileSync(this.lab.host.confFile(STRANGER), "utf8")).toBe(STRANGERS_FILE);
    expect(this.lab.journal.whats().filter((what) => what.includes(String(STRANGER)))).toEqual([]);
  }

  /** Where the machine was touched, the node's leave had ended before. */
  expectLeftFirst(node: string, vmid: number): void {
    const { entries } = this.lab.journal;
    const left = entries.find(({ what }) => what === `${node}-leave delete`);
    const first = entries.find(({ what }) => what.startsWith(`guest ${vmid} `));
    if (first) expect([node, left?.failure, left!.ended! < first.began]).toEqual([node, undefined, true]);
  }

  /**
   * Every node of the plan stands, is in the cluster and in the state, and a further run changes nothing.
   * @param workers how many the plan has; as many as there are rows by default
   */
  async expectPlan(workers = this.cases.length): Promise<void> {
    const nodes = [{ node: "k3s-master", vmid: 100 }, ...this.cases.slice(0, workers)];
    expect((await this.managed()).sort()).toEqual(nodes.map(({ vmid }) => vmid).sort());
    expect([...this.lab.host.members.keys()].sort()).toEqual(nodes.map(({ node }) => node).sort());
    for (const { vmid } of nodes) {
      expect([vmid, this.lab.machines.isRunning(vmid)]).toEqual([vmid, true]);
      const conf = fs.readFileSync(this.lab.host.confFile(vmid), "utf8");
      expect(conf).toMatch(/^features: .*nesting=1[^]*^lxc\.apparmor\.profile: unconfined$/m);
      expect(conf).not.toMatch(/^lock:/m);
    }
    const again = await this.lab.up();
    expect([again.code, again.changes]).toEqual([0, {}]);
    this.expectStrangerUntouched();
  }
}
