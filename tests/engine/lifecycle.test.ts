import * as fs from "node:fs";
import { GATE_CHECK, Homelab, type HomelabSnapshot, LOOK } from "../support/homelab";
import type { PulumiResult } from "../support/pulumiResult";
import { schemaProblems } from "../support/pveSchema";
import { succeeded } from "../support/succeeded";

/** A cluster's life on the real engine and the real Proxmox client, with simulated machines: what happens, and in which order. */

jest.setTimeout(600_000);

const AGENTS = ["k3s-worker-01", "k3s-worker-02"];
const NODES = ["k3s-master", ...AGENTS];
const VMIDS: Readonly<Record<string, number>> = { "k3s-master": 100, "k3s-worker-01": 102, "k3s-worker-02": 103 };
/** A node's scripts in the order of their creation. The claim is a hook of the machine; `leave` has nothing to run then. */
const NODE_SCRIPTS = ["claim", "lxc", "host-key", "artifacts", "k3s", "ready"];

/** S1 to S3 after the first `up`; every test starts from it. */
let cluster: HomelabSnapshot;
let first: Homelab;
let firstUp: PulumiResult;
let lab: Homelab;

beforeAll(async () => {
  first = await Homelab.start();
  // The server's machine becomes ready only after the agents have their files. If they waited for it, the test would fail.
  const files = AGENTS.map((name) => `${name}-artifacts create`);
  first.host.delay = ({ step }) => {
    if (step === "k3s-master-lxc") return first.once(...files);
    // Long enough to see which step waits for which.
    return step.endsWith("-k3s") ? 1500 : 10;
  };
  firstUp = await first.up();
  cluster = first.save();
});
beforeEach(async () => {
  lab = await Homelab.start(cluster);
});
afterEach(() => lab?.dispose());
afterAll(async () => {
  await first?.dispose();
  if (cluster) fs.rmSync(cluster.folder, { recursive: true });
});

const scaleTo = (count: number): void => lab.edit(({ pools }) => (pools.worker.count = count));
const members = (world: Homelab): string[] => [...world.host.members.keys()].sort();
/** Requests for a change, without the client's second start of a guest that does not run yet after its creation. */
const requests = ({ journal }: Homelab): string[] =>
  journal.whats("request").filter((what) => !what.startsWith("GET ") && !what.endsWith("/status/start"));
/** The last message of the program itself. */
const lastWord = ({ said }: PulumiResult): string => (said[""] ?? "").trim().split("\n").at(-1)!;
/** Everything done to a node: scripts, requests for its VMID, changes of its machine. */
const doneTo = ({ journal }: Homelab, name: string): string[] =>
  journal.whats().filter((what) => new RegExp(`^${name}-|^guest ${VMIDS[name]} |/lxc/${VMIDS[name]}(/|$)`).test(what));

describe("the first up", () => {
  it("makes every resource once, without an API error and without a leave", () => {
    succeeded(firstUp);
    expect(Object.values(firstUp.changes)).toEqual(Array(Object.keys(firstUp.changes).length).fill(["create"]));
    expect(first.journal.whats("script").sort()).toEqual(
      [
        ...["roster", "preflight", "release-sums", "ca-hash", "kubeconfig"].map((script) => `homelab-${script} create`),
        ...NODES.flatMap((name) => NODE_SCRIPTS.map((script) => `${name}-${script} create`)),
        // By the program itself, before the step that records it.
        "homelab-ca-hash look",
        GATE_CHECK,
      ].sort(),
    );
    expect(requests(first)).toEqual(Array(3).fill("POST /nodes/pve/lxc"));
    // The client starts a guest that it has seen stopped; meanwhile the creation may have started it.
    const isLate = ({ reason }: { reason: string }) => /^CT \d+ already running$/.test(reason);
    expect(first.exchanges.filter((exchange) => exchange.status !== 200 && !isLate(exchange))).toEqual([]);
    expect(first.exchanges.flatMap(schemaProblems)).toEqual([]);
    expect(members(first)).toEqual(NODES);
    expect(lastWord(firstUp)).toContain(
      "homelab: all 3 nodes are Ready at K3s v1.36.3+k3s1. next: npx proxmox-k3s kubeconfig --merge",
    );
  });

  it.each(NODES)("makes %s in order: claim, machine, the host's setup, host key, files, K3s, ready", (name) => {
    const claim = `${name}-claim create`;
    for (const step of ["homelab-roster create", "homelab-preflight create"])
      expect([step, first.journal.inOrder(step, claim)]).toEqual([step, true]);
    const order = [
      claim,
      `guest ${VMIDS[name]} create`,
      ...NODE_SCRIPTS.slice(1).map((script) => `${name}-${script} create`),
    ];
    expect(first.journal.inOrder(...order)).toBe(true);
    // The leave is in the state before K3s starts: the engine saves a resource when it is made.
    const made = (part: string): number => firstUp.made.indexOf(`${name}-${part}`);
    expect(made("leave")).toBeGreaterThan(-1);
    expect(made("leave")).toBeLessThan(made("k3s"));
  });

  it.each(AGENTS)(
    "makes the machine of %s and copies its files in parallel with the server, and starts its K3s once the server answers",
    (name) => {
      expect(first.journal.inOrder(`${name}-artifacts create`, "k3s-master-k3s create", `${name}-k3s create`)).toBe(
        true,
      );
      expect(first.journal.overlap("k3s-worker-01-k3s create", "k3s-worker-02-k3s create")).toBe(true);
    },
  );
});

describe("a second up", () => {
  it("changes nothing and only checks for repairs; a refresh finds nothing; a preview needs no running machine", async () => {
    const second = await lab.up();
    succeeded(second);
    expect(second.changes).toEqual({});
    expect(second.warnings).toEqual([]);
    expect(lastWord(second)).toBe(
      "homelab: the config disturbs no node. next: npx proxmox-k3s status, which checks whether all 3 are Ready",
    );
    expect(lab.journal.whats()).toEqual([LOOK]);
    expect(lab.network.connections).toBe(1);
    const refreshed = await lab.preview("--refresh", "--expect-no-changes");
    expect([refreshed.code, refreshed.changes]).toEqual([0, {}]);
    await lab.switchOff();
    const preview = await lab.preview("--expect-no-changes");
    expect([preview.code, preview.changes, preview.errors]).toEqual([0, {}, []]);
  });
});

describe("scaling", () => {
  it("adds only the new node, and removes it with its leave and its guard", async () => {
    scaleTo(3);
    const up = await lab.up();
    succeeded(up);
    const parts = ["", ...[...NODE_SCRIPTS.slice(1), "guard", "leave"].map((script) => `-${script}`)];
    const host = { "homelab-preflight": ["update"] };
    expect(up.changes).toEqual({
      ...host,
      ...Object.fromEntries(parts.map((part) => [`k3s-worker-03${part}`, ["create"]])),
    });
    expect(lab.journal.whats("script")).toEqual([
      LOOK,
      "homelab-preflight update",
      ...NODE_SCRIPTS.map((script) => `k3s-worker-03-${script} create`),
    ]);
    expect(requests(lab)).toEqual(["POST /nodes/pve/lxc"]);

    lab.journal.clear();
    scaleTo(2);
    const down = await lab.up();
    succeeded(down);
    expect(down.changes).toEqual({
      ...host,
      ...Object.fromEntries(parts.map((part) => [`k3s-worker-03${part}`, ["delete"]])),
    });
    const scripts = [LOOK, "homelab-preflight update", "k3s-worker-03-leave delete", "k3s-worker-03-guard delete"];
    expect(lab.journal.whats("script")).toEqual(scripts);
    expect(requests(lab)).toEqual(["POST /nodes/pve/lxc/104/status/shutdown", "DELETE /nodes/pve/lxc/104"]);
    expect(lab.journal.inOrder(...scripts, ...requests(lab))).toBe(true);
    expect(members(lab)).toEqual(NODES);
    expect([...lab.machines.guests.keys()].sort()).toEqual([100, 102, 103]);
  });

  it("makes nothing on a host that is not ready, and continues when it is", async () => {
    const problems = "the Proxmox host is not ready:\n  - template: it is not there\n  - space: 1 GiB free";
    lab.host.failAt("homelab-preflight update", problems);
    scaleTo(5);
    const { code, errors } = await lab.up();
    expect(code).not.toBe(0);
    for (const line of problems.split("\n")) expect(errors.join("\n")).toContain(line);
    expect(lab.journal.whats()).toEqual([LOOK, "homelab-preflight update"]);
    lab.host.clearFailures();
    lab.journal.clear();
    scaleTo(3);
    succeeded(await lab.up());
    expect(lab.journal.inOrder("homelab-preflight update", "k3s-worker-03-claim create")).toBe(true);
    expect([...lab.machines.guests.keys()].sort()).toEqual([100, 102, 103, 104]);
  });

  it("keeps a node whose leave fails, removes one whose machine is dead, and the next up finishes", async () => {
    await lab.machines.stop(102);
    lab.journal.clear();
    lab.host.failAt("k3s-worker-02-leave delete", "the drain of k3s-worker-02 did not finish within 600 s");
    scaleTo(0);
    // Without this flag the engine starts no further step after a failure.
    const failing = await lab.up("--continue-on-error");
    expect(failing.code).not.toBe(0);
    expect(failing.errors.join("\n")).toContain("the drain of k3s-worker-02 did not finish within 600 s");
    expect(failing.failed).toEqual(["k3s-worker-02-leave"]);
    const dead = ["k3s-worker-01-leave delete", "k3s-worker-01-guard delete", "guest 102 destroy"];
    expect(lab.journal.inOrder(...dead)).toBe(true);
    expect(members(lab)).toEqual(["k3s-master", "k3s-worker-02"]);
    // The other node's machine and resources still exist.
    expect(doneTo(lab, "k3s-worker-02")).toEqual(["k3s-worker-02-leave delete"]);
    expect(lab.machines.isRunning(103)).toBe(true);
    const kept = (await lab.state()).map(({ name }) => name).filter((name) => name.startsWith("k3s-worker-"));
    expect(kept).toEqual(expect.arrayContaining(["k3s-worker-02", "k3s-worker-02-guard", "k3s-worker-02-leave"]));
    expect(kept.filter((name) => name.startsWith("k3s-worker-01"))).toEqual([]);

    lab.host.clearFailures();
    lab.journal.clear();
    succeeded(await lab.up());
    const rest = [LOOK, "k3s-worker-02-leave delete", "k3s-worker-02-guard delete"];
    expect(lab.journal.whats("script")).toEqual(rest);
    expect([...lab.machines.guests.keys()]).toEqual([100]);
    expect(members(lab)).toEqual(["k3s-master"]);
    expect((await lab.state()).filter(({ name }) => name.startsWith("k3s-worker"))).toEqual([]);
  });
});

describe("destroy", () => {
  it("sends nothing to the cluster: no leave, but guards; every guest is removed, a stopped one too, and the roster last", async () => {
    await lab.machines.stop(103);
    // The only server is stopped: nothing could answer a leave.
    await lab.machines.stop(100);
    lab.journal.clear();
    succeeded(await lab.destroy());
    expect(lab.journal.whats("script").sort()).toEqual(
      ["homelab-roster delete", ...NODES.map((name) => `${name}-guard delete`)].sort(),
    );
    for (const name of NODES) {
      const order = [`${name}-guard delete`, `guest ${VMIDS[name]} destroy`, "homelab-roster delete"];
      expect([name, lab.journal.inOrder(...order)]).toEqual([name, true]);
    }
    expect(lab.machines.guests.size).toBe(0);
    expect(lab.host.kept("servers")).toEqual([]);
    expect(await lab.state()).toEqual([]);
  });
});

describe("a machine that somebody destroyed", () => {
  const vanish = (vmid: number): Promise<void> => lab.host.destroy(vmid);

  it("makes its removal fail in the client until a refresh: if the node is removed, and in a destroy", async () => {
    await vanish(103);
    scaleTo(1);
    const stopped = await lab.up();
    expect([stopped.code, stopped.failed]).toEqual([1, ["k3s-worker-02"]]);
    expect(members(lab)).toEqual(["k3s-master", "k3s-worker-01"]);
    succeeded(await lab.up("--refresh"));
    expect((await lab.state()).filter(({ name }) => name.startsWith("k3s-worker-02"))).toEqual([]);

    await vanish(102);
    expect((await lab.destroy("--continue-on-error")).failed).toEqual(["k3s-worker-01"]);
    expect(lab.machines.guests.size).toBe(0);
    succeeded(await lab.destroy("--refresh"));
    expect(await lab.state()).toEqual([]);
  });
});

describe("another server instead of the only one", () => {
  const exchange = (): void =>
    lab.edit(({ pools }) => {
      pools.master.retired = [1];
      pools.master.nodes = { 2: { vmId: 110, address: "192.168.2.60" } };
    });

  it("is refused before anything is touched: its K3s would start a second cluster", async () => {
    exchange();
    const run = await lab.up();
    expect(run.code).not.toBe(0);
    expect(run.errors.join("\n")).toContain(
      "cluster.pools.master: cannot be changed like this: the only server k3s-master leaves, and all objects of the cluster are lost with it",
    );
    expect(lab.journal.whats()).toEqual([]);
    expect(members(lab)).toEqual(NODES);
  });

  it("is made if the loss of the cluster is allowed, and the former one is removed", async () => {
    exchange();
    lab.edit((cluster) => (cluster.removal = { allowControlPlaneLoss: true }));
    succeeded(await lab.up());
    expect([...lab.machines.guests.keys()].sort()).toEqual([102, 103, 110]);
    expect((await lab.up()).changes).toEqual({});
  });
});

describe("a new machine for a node", () => {
  const replaced = ["delete-replaced", "replace", "create-replacement"];
  const scriptsOf = (name: string): string[] => NODE_SCRIPTS.slice(1).map((script) => `${name}-${script} create`);

  it("by --replace: nothing while the leave fails; then leave, guard, removal, creation, and every script again", async () => {
    const resources = await lab.state();
    const machine = resources.find(({ name, type }) => name === "k3s-worker-01" && type.startsWith("proxmoxve:"));
    lab.host.failAt("k3s-worker-01-leave delete", "no server of the cluster answered");
    expect((await lab.up("--replace", machine!.urn)).code).not.toBe(0);
    expect(requests(lab)).toEqual([]);
    expect(lab.machines.isRunning(102)).toBe(true);

    lab.host.clearFailures();
    lab.journal.clear();
    const run = await lab.up("--replace", machine!.urn);
    succeeded(run);
    const parts = ["", "-guard", "-lxc", "-host-key", "-artifacts", "-leave", "-k3s", "-ready"].map(
      (part) => `k3s-worker-01${part}`,
    );
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

  it.each([
    { mac: "that Proxmox VE assigned", fixed: undefined },
    { mac: "that the config fixes", fixed: "BC:24:11:5A:5A:5A" },
  ])(
    "after the old one vanished and a refresh found that, with a MAC $mac: every step runs again",
    async ({ fixed }) => {
      if (fixed !== undefined) {
        lab.edit(({ pools }) => (pools.worker.nodes = { 1: { mac: fixed } }));
        succeeded(await lab.up());
      }
      await lab.host.destroy(102);
      lab.journal.clear();
      succeeded(await lab.up("--refresh"));
      const again = ["k3s-worker-01-claim create", "guest 102 create", ...scriptsOf("k3s-worker-01")];
      expect(lab.journal.inOrder(...again)).toBe(true);
      expect(lab.journal.inOrder("k3s-worker-01-leave delete", "k3s-worker-01-k3s create")).toBe(true);
      expect(requests(lab)).toEqual(["POST /nodes/pve/lxc"]);
      const { journal } = lab;
      expect(journal.whats("script").filter((what) => !what.startsWith("k3s-worker-01-"))).toEqual([LOOK]);
      expect(members(lab)).toEqual(NODES);
      expect((await lab.up()).changes).toEqual({});
    },
  );
});
