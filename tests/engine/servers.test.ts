import * as fs from "node:fs";
import { type Row, titleOf } from "../reliability/row";
import { deadServers } from "../reliability/server";
import { expectSeen } from "../reliability/strike";
import { Homelab, type HomelabSnapshot, LOOK } from "../support/homelab";
import type { Entry } from "../support/journal";
import type { PulumiResult } from "../support/pulumiResult";
import { succeeded } from "../support/succeeded";

/**
 * Several servers on the real engine, with simulated machines: they join and leave one at a time, etcd keeps its majority, and
 * there is never a second cluster.
 */

jest.setTimeout(900_000);

const SERVERS = ["k3s-master", "k3s-master-2", "k3s-master-3", "k3s-master-4", "k3s-master-5"];
const VMIDS = [100, 110, 111, 112, 113];
const ADDRESSES = [20, 60, 61, 62, 63].map((last) => `192.168.2.${last}`);

/** The homelab with one worker, after it has grown from one server to three. */
let three: HomelabSnapshot;
let grown: Homelab;
let growth: PulumiResult;
let lab: Homelab;

beforeAll(async () => {
  grown = await Homelab.start();
  grown.edit(({ pools }) => (pools.worker.count = 1));
  succeeded(await grown.up());
  grown.journal.clear();
  serversOf(grown, 3);
  growth = await grown.up();
  three = grown.save();
});
beforeEach(async () => {
  lab = await Homelab.start(three);
});
afterEach(() => lab?.dispose());
afterAll(async () => {
  await grown?.dispose();
  if (three) fs.rmSync(three.folder, { recursive: true });
});

function serversOf(world: Homelab, count: number, ...retired: number[]): void {
  world.edit(({ pools, k3s }) => {
    k3s.datastore = "etcd";
    Object.assign(pools.master, { count, retired, hostname: "k3s-master-{0}", vmIds: VMIDS, addresses: ADDRESSES });
  });
}

const etcd = (world: Homelab): string[] => [...world.host.etcd].sort();
const guests = (world: Homelab): number[] => [...world.machines.guests.keys()].sort((a, b) => a - b);
/** What was done to a node's guest, or by one of its scripts. */
const doneTo = ({ journal }: Homelab, name: string, vmid: number): string[] =>
  journal
    .whats()
    .filter((what) => new RegExp(`^${name}-(?!\\d)|^guest ${vmid} |^(?!GET).*/lxc/${vmid}(/|$)`).test(what));
/** Number of clusters that the machines with K3s belong to. */
const clusters = (world: Homelab): number =>
  new Set([...world.machines.disks.values()].flatMap(({ k3s }) => k3s?.caHash ?? [])).size;

/** The times from the beginning of each server's leave to the removal of its machine. */
function absences({ journal: { entries } }: Homelab): { name: string; from: number; to: number }[] {
  const end = (entry: Entry | undefined): number => entry?.ended ?? Infinity;
  return SERVERS.flatMap((name, at) =>
    entries
      .filter(({ what }) => what === `${name}-leave delete`)
      .map(({ began }) => ({
        name,
        from: began,
        to: end(entries.find((each) => each.what === `guest ${VMIDS[at]} destroy` && each.began > began)),
      })),
  );
}

/** Expects these absences in this order, and no two at the same time. */
function expectOneAtATime(world: Homelab, ...names: string[]): void {
  const all = absences(world).sort((a, b) => a.from - b.from);
  expect(all.map(({ name }) => name)).toEqual(names);
  for (const [at, each] of all.entries())
    if (at > 0) expect([each.name, each.from > all[at - 1]!.to]).toEqual([each.name, true]);
}

describe("from one server to three", () => {
  it("moves the first to etcd, then adds one after the other, and each joins the running cluster", () => {
    succeeded(growth);
    const order = [
      "k3s-master-k3s update",
      "k3s-master-ready update",
      "guest 110 create",
      "k3s-master-2-join look",
      "k3s-master-2-k3s create",
      "k3s-master-2-ready create",
      "guest 111 create",
      "k3s-master-3-join look",
      "k3s-master-3-k3s create",
      "k3s-master-3-ready create",
    ];
    expect(grown.journal.inOrder(...order)).toBe(true);
    expect(etcd(grown)).toEqual(SERVERS.slice(0, 3));
    expect(clusters(grown)).toBe(1);
  });

  it("leaves the workers alone", () => {
    expect(doneTo(grown, "k3s-worker-01", 102)).toEqual([]);
  });

  it("then a further up changes nothing", async () => {
    expect((await lab.up()).changes).toEqual({});
    expect(lab.journal.whats()).toEqual([LOOK]);
  });
});

it("three new servers are one cluster, which the first one starts", async () => {
  const fresh = await Homelab.start();
  try {
    serversOf(fresh, 3);
    succeeded(await fresh.up());
    expect(etcd(fresh)).toEqual(SERVERS.slice(0, 3));
    expect(clusters(fresh)).toBe(1);
    const joins = fresh.host.tasks.filter(({ step }) => step.endsWith("-join")).map(({ args }) => args["NAME"]);
    expect(joins).toEqual(SERVERS.slice(1, 3));
  } finally {
    await fresh.dispose();
  }
});

describe("from three servers to one", () => {
  it("removes them one at a time, the last one first, and the first stays on etcd", async () => {
    serversOf(lab, 1);
    succeeded(await lab.up());
    expectOneAtATime(lab, "k3s-master-3", "k3s-master-2");
    expect([etcd(lab), guests(lab)]).toEqual([["k3s-master"], [100, 102]]);
    expect((await lab.up()).changes).toEqual({});
  });
});

describe("the first server", () => {
  it("can be replaced like any other, and no other node restarts for it", async () => {
    const worker = structuredClone(lab.machines.disk(102).k3s);
    serversOf(lab, 3, 1);
    const run = await lab.up();
    succeeded(run);
    expect(lab.journal.inOrder("k3s-master-4-ready create", "k3s-master-leave delete", "guest 100 destroy")).toBe(true);
    expect(lab.journal.inOrder("k3s-worker-01-k3s update", "k3s-master-leave delete")).toBe(true);
    expect([etcd(lab), guests(lab), clusters(lab)]).toEqual([SERVERS.slice(1, 4), [102, 110, 111, 112], 1]);
    // A new agent starts with the next server's address; a running one knows that server already.
    expect(run.stdout).toContain(`apiEndpoint: "https://${ADDRESSES[0]}:6443" => "https://${ADDRESSES[1]}:6443"`);
    expect(lab.machines.disk(102).k3s).toEqual(worker);
    // It did not concern the other servers.
    for (const at of [1, 2]) expect(doneTo(lab, SERVERS[at]!, VMIDS[at]!)).toEqual([]);
    expect((await lab.up()).changes).toEqual({});
  });

  it("with a new machine joins the others, and starts no second cluster", async () => {
    const machine = (await lab.state()).find(
      ({ name, type }) => name === "k3s-master" && type.startsWith("proxmoxve:"),
    );
    succeeded(await lab.up("--replace", machine!.urn));
    const order = ["k3s-master-leave delete", "guest 100 destroy", "guest 100 create", "k3s-master-join look"];
    expect(lab.journal.inOrder(...order, "k3s-master-k3s create")).toBe(true);
    expect(lab.machines.disk(100).join?.address).toBe(ADDRESSES[1]);
    expect([etcd(lab), clusters(lab)]).toEqual([SERVERS.slice(0, 3), 1]);
    expect((await lab.up()).changes).toEqual({});
  });
});

describe("a change that rebuilds all servers", () => {
  it.each([
    { what: "other VMIDs", change: { vmIds: [200, 210, 211] }, vmids: [200, 210, 211] },
    // etcd identifies its members by their addresses.
    { what: "other addresses", change: { addresses: ["192.168.2.80", "192.168.2.81", "192.168.2.82"] }, vmids: VMIDS },
  ])("rebuilds them one after the other: $what", async ({ change, vmids }) => {
    lab.edit(({ pools }) => Object.assign(pools.master, change));
    succeeded(await lab.up());
    expectOneAtATime(lab, "k3s-master", "k3s-master-2", "k3s-master-3");
    // Each was Ready again before the next one left.
    expect(lab.journal.inOrder("k3s-master-ready create", "k3s-master-2-leave delete")).toBe(true);
    expect(lab.journal.inOrder("k3s-master-2-ready create", "k3s-master-3-leave delete")).toBe(true);
    expect([etcd(lab), guests(lab)]).toEqual([SERVERS.slice(0, 3), [102, ...vmids.slice(0, 3)].sort((a, b) => a - b)]);
    expect(clusters(lab)).toBe(1);
    expect((await lab.up()).changes).toEqual({});
  });
});

const die = (at: number): Promise<void> => lab.machines.stop(VMIDS[at]!);
/** `pct start`. */
const revive = (at: number): Promise<void> =>
  lab.machines.start(VMIDS[at]!, lab.host.conf(String(VMIDS[at]))!, () => {});
/** Expects what a row says about a node. */
const expectRow = (row: Row, at: number, run: PulumiResult): void =>
  expectSeen({ row, node: SERVERS[at]!, vmid: VMIDS[at]! }, run);

describe("a dead server", () => {
  it("is removed before its replacement joins, because etcd would not accept one more", async () => {
    await die(1);
    serversOf(lab, 3, 2);
    succeeded(await lab.up());
    expect([etcd(lab), guests(lab)]).toEqual([
      ["k3s-master", "k3s-master-3", "k3s-master-4"],
      [100, 102, 111, 112],
    ]);
    expect(clusters(lab)).toBe(1);
  });

  it(titleOf(deadServers.oneStays), async () => {
    await die(1);
    serversOf(lab, 5);
    expectRow(deadServers.oneStays, 3, await lab.up());
    expect(etcd(lab)).toEqual(SERVERS.slice(0, 3));
    await revive(1);
    succeeded(await lab.up());
    expect([etcd(lab), clusters(lab)]).toEqual([SERVERS, 1]);
    expect((await lab.up()).changes).toEqual({});
  });

  it(titleOf(deadServers.oneBeside), async () => {
    await die(1);
    lab.edit((cluster) => (cluster.version = "v1.36.4+k3s1"));
    expectRow(deadServers.oneBeside, 0, await lab.up());
    expect(lab.machines.disk(100).k3s?.version).toBe("v1.36.3+k3s1");
    await revive(1);
    succeeded(await lab.up());
    expect(new Set(lab.host.members.values())).toEqual(new Set(["v1.36.4+k3s1"]));
    expect((await lab.up()).changes).toEqual({});
  });

  it("does not stop a destroy, and neither do two", async () => {
    await die(1);
    await die(2);
    lab.journal.clear();
    succeeded(await lab.destroy());
    expect(lab.journal.whats("script").filter((what) => what.includes("leave"))).toEqual([]);
    expect(lab.machines.guests.size).toBe(0);
  });
});

it(titleOf(deadServers.all), async () => {
  // Its machine is rebuilt; meanwhile the others stop.
  const machine = (await lab.state()).find(({ name, type }) => name === "k3s-master" && type.startsWith("proxmoxve:"));
  lab.host.delay = async ({ step }) => {
    if (step === "k3s-master-join") for (const at of [1, 2]) await die(at);
    return 10;
  };
  expectRow(deadServers.all, 0, await lab.up("--replace", machine!.urn));
  expect(lab.machines.disk(100).k3s).toBeUndefined();
  lab.host.delay = () => 10;
  for (const at of [1, 2]) await revive(at);
  succeeded(await lab.up());
  expect([etcd(lab), clusters(lab)]).toEqual([SERVERS.slice(0, 3), 1]);
  expect((await lab.up()).changes).toEqual({});
});

describe("five servers, two of them dead", () => {
  it(`block the removal of a third one, but not their own (${titleOf(deadServers.twoOfFive)})`, async () => {
    serversOf(lab, 5);
    succeeded(await lab.up());
    for (const at of [1, 2]) await die(at);
    lab.journal.clear();
    serversOf(lab, 3);
    expectRow(deadServers.twoOfFive, 4, await lab.up());
    expect(guests(lab)).toEqual([100, 102, 110, 111, 112, 113]);
    serversOf(lab, 3, 2, 3);
    succeeded(await lab.up());
    expect([etcd(lab), guests(lab)]).toEqual([
      ["k3s-master", "k3s-master-4", "k3s-master-5"],
      [100, 102, 112, 113],
    ]);
    expect((await lab.up()).changes).toEqual({});
  });
});
