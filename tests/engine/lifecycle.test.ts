import * as fs from "node:fs";
import { Homelab, type HomelabSnapshot } from "../support/homelab";
import type { PulumiResult } from "../support/pulumiResult";
import { schemaProblems } from "../support/pveSchema";

/** A cluster's life on the real engine and the real Proxmox client, machines simulated: what happens, and in which order. */

jest.setTimeout(600_000);

const AGENTS = ["k3s-worker-01", "k3s-worker-02"];
const NODES = ["k3s-master", ...AGENTS];
const VMIDS: Readonly<Record<string, number>> = { "k3s-master": 100, "k3s-worker-01": 102, "k3s-worker-02": 103 };
/** The scripts of a node, in their order of creation; `leave` has nothing to run then. */
const NODE_SCRIPTS = ["claim", "lxc", "host-key", "k3s", "ready"];

/** S1 to S3 as the first `up` made them; every test starts from there. */
let cluster: HomelabSnapshot;
let first: Homelab;
let firstUp: PulumiResult;
let lab: Homelab;

beforeAll(async () => {
  first = await Homelab.start();
  // Long enough to see what waits for what.
  first.host.delay = ({ step }) => (step.endsWith("-k3s") || step === "k3s-master-lxc" ? 1500 : 10);
  firstUp = await first.up();
  cluster = first.save();
  await first.dispose();
});
beforeEach(async () => {
  lab = await Homelab.start(cluster);
});
afterEach(() => lab?.dispose());
afterAll(() => fs.rmSync(cluster.folder, { recursive: true }));

const scaleTo = (count: number): void => lab.edit(({ pools }) => (pools.worker.count = count));
const members = (world: Homelab): string[] => [...world.host.state.members.keys()].sort();
/** Requests that ask for a change. The client starts a guest once more where it is not up yet after its creation. */
const requests = ({ journal }: Homelab): string[] =>
  journal.whats("request").filter((what) => !what.startsWith("GET ") && !what.endsWith("/status/start"));
/** Everything that was done to a node: scripts, requests for its VMID, its machine. */
const doneTo = ({ journal }: Homelab, name: string): string[] =>
  journal.whats().filter((what) => new RegExp(`^${name}-|^guest ${VMIDS[name]} |/lxc/${VMIDS[name]}(/|$)`).test(what));
/** A run that succeeded; else its output is the failure's text. */
const succeeded = (run: PulumiResult): void => expect([run.code, run.code === 0 ? "" : run.stdout]).toEqual([0, ""]);

describe("the first up", () => {
  it("makes every resource once, without an error of the API and without a leave", () => {
    succeeded(firstUp);
    expect(Object.values(firstUp.changes)).toEqual(Array(Object.keys(firstUp.changes).length).fill(["create"]));
    expect(first.journal.whats("script").sort()).toEqual(
      [
        ...["roster", "release-sums", "ca-hash", "kubeconfig"].map((script) => `homelab-${script} create`),
        ...NODES.flatMap((name) => NODE_SCRIPTS.map((script) => `${name}-${script} create`)),
      ].sort(),
    );
    expect(requests(first)).toEqual(Array(3).fill("POST /nodes/pve/lxc"));
    expect(first.exchanges.filter(({ status }) => status !== 200)).toEqual([]);
    expect(first.exchanges.flatMap(schemaProblems)).toEqual([]);
    expect(members(first)).toEqual(NODES);
  });

  it.each(NODES)("makes %s in order: claim, machine, host's part, host key, K3s, ready", (name) => {
    const order = [
      "homelab-roster create",
      `${name}-claim create`,
      `guest ${VMIDS[name]} create`,
      ...["lxc", "host-key", "k3s", "ready"].map((script) => `${name}-${script} create`),
    ];
    expect(first.journal.inOrder(...order)).toBe(true);
    // The leave is in the state before K3s starts; the engine writes it down when it is made.
    const made = (part: string): number => firstUp.made.indexOf(`${name}-${part}`);
    expect(made("leave")).toBeGreaterThan(-1);
    expect(made("leave")).toBeLessThan(made("k3s"));
  });

  it.each(AGENTS)("makes the machine of %s beside the server, and its K3s after it", (name) => {
    expect(first.journal.inOrder(`${name}-host-key create`, "k3s-master-k3s create")).toBe(true);
    expect(first.journal.inOrder("k3s-master-ready create", `${name}-k3s create`)).toBe(true);
    expect(first.journal.overlap("k3s-worker-01-k3s create", "k3s-worker-02-k3s create")).toBe(true);
  });
});

describe("a second up", () => {
  it("changes nothing and speaks to no machine; a refresh finds nothing; a preview needs nothing to be on", async () => {
    const second = await lab.up();
    succeeded(second);
    expect(second.changes).toEqual({});
    expect(lab.network.connections).toBe(0);
    const refreshed = await lab.preview("--refresh", "--expect-no-changes");
    expect([refreshed.code, refreshed.changes]).toEqual([0, {}]);
    await lab.switchOff();
    const preview = await lab.preview("--expect-no-changes");
    expect([preview.code, preview.changes, preview.errors]).toEqual([0, {}, []]);
  });
});

describe("scaling", () => {
  it("adds a node alone, and takes it out through its leave and the guard", async () => {
    scaleTo(3);
    const up = await lab.up();
    succeeded(up);
    const parts = ["", ...[...NODE_SCRIPTS, "leave"].map((script) => `-${script}`)];
    expect(up.changes).toEqual(Object.fromEntries(parts.map((part) => [`k3s-worker-03${part}`, ["create"]])));
    expect(lab.journal.whats("script")).toEqual(NODE_SCRIPTS.map((script) => `k3s-worker-03-${script} create`));
    expect(requests(lab)).toEqual(["POST /nodes/pve/lxc"]);

    lab.journal.clear();
    scaleTo(2);
    const down = await lab.up();
    succeeded(down);
    expect(down.changes).toEqual(Object.fromEntries(parts.map((part) => [`k3s-worker-03${part}`, ["delete"]])));
    const scripts = ["k3s-worker-03-leave delete", "k3s-worker-03-lxc delete"];
    expect(lab.journal.whats("script")).toEqual(scripts);
    expect(requests(lab)).toEqual(["POST /nodes/pve/lxc/104/status/shutdown", "DELETE /nodes/pve/lxc/104"]);
    expect(lab.journal.inOrder(...scripts, ...requests(lab))).toBe(true);
    expect(members(lab)).toEqual(NODES);
    expect([...lab.machines.guests.keys()].sort()).toEqual([100, 102, 103]);
  });

  it("keeps a node whose leave fails, goes on with one whose machine is dead, and ends the rest at the next up", async () => {
    await lab.machines.stop(102);
    lab.journal.clear();
    lab.host.failAt("k3s-worker-02-leave delete", "the drain of k3s-worker-02 did not finish within 600 s");
    scaleTo(0);
    // Without the flag the engine begins no further step once one has failed.
    const failing = await lab.up("--continue-on-error");
    expect(failing.code).not.toBe(0);
    expect(failing.errors.join("\n")).toContain("the drain of k3s-worker-02 did not finish within 600 s");
    expect(failing.failed).toEqual(["k3s-worker-02-leave"]);
    const dead = ["k3s-worker-01-leave delete", "k3s-worker-01-lxc delete", "guest 102 destroy"];
    expect(lab.journal.inOrder(...dead)).toBe(true);
    expect(members(lab)).toEqual(["k3s-master", "k3s-worker-02"]);
    // The machine of the other and all that belongs to it are still there.
    expect(doneTo(lab, "k3s-worker-02")).toEqual(["k3s-worker-02-leave delete"]);
    expect(lab.machines.isRunning(103)).toBe(true);
    const kept = (await lab.state()).map(({ name }) => name).filter((name) => name.startsWith("k3s-worker-"));
    expect(kept).toEqual(expect.arrayContaining(["k3s-worker-02", "k3s-worker-02-lxc", "k3s-worker-02-leave"]));
    expect(kept.filter((name) => name.startsWith("k3s-worker-01"))).toEqual([]);

    lab.host.mend();
    lab.journal.clear();
    succeeded(await lab.up());
    expect(lab.journal.whats("script")).toEqual(["k3s-worker-02-leave delete", "k3s-worker-02-lxc delete"]);
    expect([...lab.machines.guests.keys()]).toEqual([100]);
    expect(members(lab)).toEqual(["k3s-master"]);
    expect((await lab.state()).filter(({ name }) => name.startsWith("k3s-worker"))).toEqual([]);
  });
});

describe("destroy", () => {
  it("asks no cluster: no leave, guards, every guest gone, also one that was stopped, and the roster last", async () => {
    await lab.machines.stop(103);
    // The only server, too: nobody could answer a leave.
    await lab.machines.stop(100);
    lab.journal.clear();
    succeeded(await lab.destroy());
    expect(lab.journal.whats("script").sort()).toEqual(
      ["homelab-roster delete", ...NODES.map((name) => `${name}-lxc delete`)].sort(),
    );
    for (const name of NODES) {
      const order = [`${name}-lxc delete`, `guest ${VMIDS[name]} destroy`, "homelab-roster delete"];
      expect([name, lab.journal.inOrder(...order)]).toEqual([name, true]);
    }
    expect(lab.machines.guests.size).toBe(0);
    expect(lab.host.state.rosters.size).toBe(0);
    expect(await lab.state()).toEqual([]);
  });

  it("spares a guest that is a stranger's by now, and nothing else", async () => {
    const file = lab.host.confFile(103);
    fs.writeFileSync(file, fs.readFileSync(file, "utf8").replace(/^#.*\n/, "#somebody else's\n"));
    const { code, errors } = await lab.destroy("--continue-on-error");
    expect(code).not.toBe(0);
    expect(errors.join("\n")).toContain(`VMID 103 belongs to the guest "k3s-worker-02", which is not ours`);
    expect([...lab.machines.guests.keys()]).toEqual([103]);
    expect(lab.machines.isRunning(103)).toBe(true);
    expect(doneTo(lab, "k3s-worker-02")).toEqual(["k3s-worker-02-lxc delete"]);
  });
});

describe("a machine made anew", () => {
  const replaced = ["delete-replaced", "replace", "create-replacement"];
  const scriptsOf = (name: string): string[] => NODE_SCRIPTS.slice(1).map((script) => `${name}-${script} create`);

  it("by --replace: kept while its leave fails; else leave and guard, it goes, comes, and every script runs again", async () => {
    const resources = await lab.state();
    const machine = resources.find(({ name, type }) => name === "k3s-worker-01" && type.startsWith("proxmoxve:"));
    lab.host.failAt("k3s-worker-01-leave delete", "no server of the cluster answered");
    expect((await lab.up("--replace", machine!.urn)).code).not.toBe(0);
    expect(requests(lab)).toEqual([]);
    expect(lab.machines.isRunning(102)).toBe(true);

    lab.host.mend();
    lab.journal.clear();
    const run = await lab.up("--replace", machine!.urn);
    succeeded(run);
    const parts = ["", "-lxc", "-host-key", "-leave", "-k3s", "-ready"].map((part) => `k3s-worker-01${part}`);
    expect(Object.keys(run.changes).sort()).toEqual([...parts].sort());
    expect(run.changes["k3s-worker-01"]).toEqual(replaced);
    const again = ["guest 102 create", ...scriptsOf("k3s-worker-01")];
    const deletions = lab.journal.whats("script").filter((what) => what.endsWith(" delete"));
    expect(deletions).toContain("k3s-worker-01-leave delete");
    for (const each of deletions)
      expect(lab.journal.inOrder(each, "guest 102 shutdown", "guest 102 destroy", ...again)).toBe(true);
    for (const other of ["k3s-master", "k3s-worker-02"]) expect(doneTo(lab, other)).toEqual([]);
    expect(members(lab)).toEqual(NODES);
    expect((await lab.up()).changes).toEqual({});
  });

  it("after it vanished and a refresh noticed: the old node leaves, and every script runs again", async () => {
    await lab.machines.destroy(102);
    fs.rmSync(lab.host.confFile(102));
    lab.journal.clear();
    succeeded(await lab.up("--refresh"));
    expect(lab.journal.inOrder("guest 102 create", ...scriptsOf("k3s-worker-01"))).toBe(true);
    expect(lab.journal.inOrder("k3s-worker-01-leave delete", "k3s-worker-01-k3s create")).toBe(true);
    expect(requests(lab)).toEqual(["POST /nodes/pve/lxc"]);
    const { journal } = lab;
    expect(journal.whats("script").filter((what) => !what.startsWith("k3s-worker-01-"))).toEqual([]);
    expect(members(lab)).toEqual(NODES);
    expect((await lab.up()).changes).toEqual({});
  });
});

describe("a VMID that is taken", () => {
  it("by somebody else's guest: the claim fails, and nothing is asked of the API", async () => {
    const conf = "arch: amd64\nhostname: nas\nmemory: 512\nrootfs: local-lvm:vm-104-disk-0,size=8G\nswap: 0\n";
    fs.writeFileSync(lab.host.confFile(104), conf);
    scaleTo(3);
    const { code, errors } = await lab.up();
    expect(code).not.toBe(0);
    expect(errors.join("\n")).toContain(`VMID 104 belongs to the guest "nas", which is not ours`);
    expect(lab.journal.whats()).toEqual(["k3s-worker-03-claim create"]);
    expect(fs.readFileSync(lab.host.confFile(104), "utf8")).toBe(conf);
  });

  it("by a node that was renamed: nothing is made, and the old node is not touched", async () => {
    lab.edit(({ pools }) => (pools.worker.nodes = { 2: { hostname: "renamed" } }));
    const { code, errors } = await lab.up();
    expect(code).not.toBe(0);
    expect(errors.join("\n")).toContain("VMID 103 is this cluster's node k3s-worker-02");
    expect(lab.journal.whats()).toEqual(["renamed-claim create"]);
    expect(members(lab)).toEqual(NODES);
  });
});
