import * as fs from "node:fs";
import type { Homelab } from "../support/homelab";
import type { Row } from "./row";
import { SHORT, type Case } from "./strike";

/** Another person's guest, which every scene has. */
const STRANGER = 99_000;
const STRANGERS_FILE = `#somebody else's\nhostname: nas\nmemory: 512\nrootfs: local-lvm:vm-${STRANGER}-disk-0,size=8G\nswap: 0\n`;

/** Several rows at once in one homelab, with a worker for each, and what must be true afterwards. */
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

  /** Sets as many workers as there are rows. If a row runs into one of the program's bounds, its machine gets a short one. */
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

  /** Whether the guest exists on the Proxmox host. */
  isThere(vmid: number): boolean {
    return fs.existsSync(this.lab.host.confFile(vmid));
  }

  /** Runs the command that the claim names for incomplete guests. */
  async recover(): Promise<void> {
    const { code, stdout, stderr } = await this.lab.command("recover", "--stack", "homelab", "--wait", "30", "--yes");
    expect([code, code === 0 ? "" : stdout + stderr]).toEqual([0, ""]);
  }

  expectStrangerUntouched(): void {
    expect(fs.readFileSync(this.lab.host.confFile(STRANGER), "utf8")).toBe(STRANGERS_FILE);
    expect(this.lab.journal.whats().filter((what) => what.includes(String(STRANGER)))).toEqual([]);
  }

  /** If the machine was touched, the node had left before. */
  expectLeftFirst(node: string, vmid: number): void {
    const { entries } = this.lab.journal;
    const left = entries.find(({ what }) => what === `${node}-leave delete`);
    const first = entries.find(({ what }) => what.startsWith(`guest ${vmid} `));
    if (first) expect([node, left?.failure, left!.ended! < first.began]).toEqual([node, undefined, true]);
  }

  /**
   * Expects that every node of the plan runs, is in the cluster and in the state, and that another run changes nothing.
   * @param workers number of workers in the plan; by default the number of rows
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
