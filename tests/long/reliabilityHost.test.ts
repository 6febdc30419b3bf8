import { hostShell } from "../reliability/hostShell";
import { titleOf, type Row } from "../reliability/row";
import { Scene } from "../reliability/scene";
import { deadServers } from "../reliability/server";
import { type Case, expectRows, strike } from "../reliability/strike";
import { Homelab } from "../support/homelab";

/**
 * The rows of docs/reliability.md about a Proxmox host that refuses SSH, at each step that needs it, and about a server that is dead:
 * one world, from the first `up` to `destroy`. The tests build on each other.
 */

jest.setTimeout(600_000);

const ALL = ["--continue-on-error"];
const MASTER = { node: "k3s-master", vmid: 100 };
const worker = (index: number) => ({ node: `k3s-worker-0${index}`, vmid: 101 + index });

let scene: Scene;
let lab: Homelab;
beforeAll(async () => {
  lab = await Homelab.start();
  scene = new Scene(lab, []);
  scaleTo(0);
});
afterAll(() => lab?.dispose());

const scaleTo = (count: number): void => lab.edit(({ pools }) => (pools.worker.count = count));
const cases = (rows: readonly Row[], ...nodes: Omit<Case, "row">[]): Case[] =>
  rows.map((row, at) => ({ row, ...(nodes[at] ?? MASTER) }));

/** The titles of several rows that one run tests. */
const titles = (rows: readonly Row[]): string => rows.map(titleOf).join("; ");

describe("up", () => {
  const early = ["from the start", "once the host was looked at"] as const;
  it.each(early.map((when) => [titles(hostShell[when]), when] as const))("%s", async (_, when) => {
    // They connect at the same time: none ends before all have begun.
    const first = ["homelab-roster create", "homelab-preflight create", "homelab-release-sums create"];
    lab.host.delay = () => lab.once(...first);
    const all = cases(hostShell[when]);
    expectRows(all, await strike(lab, all, () => lab.up(...ALL)));
    expect(scene.isThere(100)).toBe(false);
  });

  it(titles(hostShell["once K3s runs on the server"]), async () => {
    // From here on the time limits of a connection attempt are known.
    lab.editProgram("remote/dialing.ts", (text) => text.replace("host: 10", "host: 3"));
    lab.host.delay = () => 10;
    const all = cases(hostShell["once K3s runs on the server"]);
    expectRows(all, await strike(lab, all, () => lab.up(...ALL)));
    expect((await lab.up()).code).toBe(0);
    await scene.expectPlan();
  });

  it(titles(hostShell["while workers are made"]), async () => {
    const all = cases(hostShell["while workers are made"], worker(1), worker(2));
    lab.host.delay = ({ step }) => {
      if (step === "k3s-worker-01-lxc") return lab.once("guest 103 create");
      return step === "k3s-worker-02-claim" ? lab.once("k3s-worker-01-lxc create") : 10;
    };
    scaleTo(2);
    expectRows(all, await strike(lab, all, () => lab.up(...ALL)));
    lab.host.delay = () => 10;
    expect((await scene.managed()).sort()).toEqual([100, 102, 103]);
    const up = await lab.up();
    expect([up.code, up.errors]).toEqual([0, []]);
    expect((await lab.up()).changes).toEqual({});
  });
});

describe("up with files from the host", () => {
  const [row] = hostShell["when nodes are to get their files from the host"];

  it(titleOf(row), async () => {
    lab.host.put("/var/lib/k3s/k3s", "K3s");
    lab.edit(({ k3s }) => (k3s.artifacts = { file: "/var/lib/k3s/k3s", sha256: { amd64: "5a".repeat(32) } }));
    const all = [MASTER, worker(1), worker(2)].map((node) => ({ row, ...node }));
    expectRows(all, await strike(lab, all, () => lab.up(...ALL)));
    const up = await lab.up();
    expect([up.code, up.errors]).toEqual([0, []]);
    expect((await lab.up()).changes).toEqual({});
  });
});

describe("change", () => {
  it.each(["when a machine is to change", "once a machine was rebooted"] as const)(
    "%s: the next up continues, and a further one changes nothing",
    async (when) => {
      const memory = { "when a machine is to change": "5GB", "once a machine was rebooted": "6GB" }[when];
      lab.edit(({ pools }) => (pools.master.memory = memory));
      const all = cases(hostShell[when]);
      expectRows(all, await strike(lab, all, () => lab.up(...ALL)));
      const up = await lab.up();
      expect([up.code, up.errors]).toEqual([0, []]);
      expect(lab.host.conf("100")?.options.get("memory")).toBe(String(parseInt(memory) * 1024));
      expect((await lab.up()).changes).toEqual({});
    },
  );
});

describe("scale down", () => {
  it.each(["when a worker is to go", "once the host was looked at again"] as const)(
    "%s: nothing of it is removed",
    async (when) => {
      scaleTo(1);
      // A removal does not wait for the check of the host: it fails as well.
      const later = "once the host was looked at again";
      const rows = when === later ? hostShell[later] : [...hostShell[when], ...hostShell[later]];
      const all = cases(rows, worker(2), worker(2));
      expectRows(all, await strike(lab, all, () => lab.up(...ALL)));
      expect(lab.machines.isRunning(103)).toBe(true);
      expect(lab.journal.whats("machine")).toEqual([]);
    },
  );

  it("once it has left: its machine stays, and is removed by the next up", async () => {
    const all = cases(hostShell["once a worker has left"], worker(2));
    expectRows(all, await strike(lab, all, () => lab.up(...ALL)));
    expect(lab.machines.isRunning(103)).toBe(true);
    expect((await lab.up()).code).toBe(0);
    expect([scene.isThere(103), (await scene.managed()).sort()]).toEqual([false, [100, 102]]);
    expect((await lab.up()).changes).toEqual({});
  });

  it(titleOf(deadServers.only), async () => {
    const { driver } = lab.host;
    const start = (): Promise<void> => driver.start(MASTER.vmid, lab.host.conf(String(MASTER.vmid))!, () => {});
    scaleTo(0);
    const dead = [{ row: deadServers.only, node: worker(1).node, vmid: MASTER.vmid }];
    const run = await strike(lab, dead, async () => {
      await driver.stop(MASTER.vmid, () => {});
      await start();
      return lab.up(...ALL);
    });
    expectRows(dead, run);
    expect(lab.machines.isRunning(worker(1).vmid)).toBe(true);
    await start();
    expect((await lab.up()).code).toBe(0);
    expect(await scene.managed()).toEqual([100]);
    expect((await lab.up()).changes).toEqual({});
  });
});

describe("destroy", () => {
  it("when all is to be removed: nothing is removed without its guard", async () => {
    const all = cases(hostShell["when all is to go"]);
    expectRows(all, await strike(lab, all, () => lab.destroy(...ALL)));
    expect(lab.journal.whats("machine")).toEqual([]);
  });

  it("once every machine is gone: the next destroy removes the roster", async () => {
    const all = cases(hostShell["once every machine is gone"]);
    expectRows(all, await strike(lab, all, () => lab.destroy(...ALL)));
    expect(await scene.managed()).toEqual([]);
    expect((await lab.destroy()).code).toBe(0);
    expect(await lab.state()).toEqual([]);
    scene.expectStrangerUntouched();
  });
});
