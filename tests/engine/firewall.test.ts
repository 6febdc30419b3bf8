import { Homelab, LOOK } from "../support/homelab";
import { succeeded } from "../support/succeeded";

/**
 * The firewall of the nodes on the real engine: which node is admitted, and when. tests/scripts/firewall.test.ts loads the rules
 * themselves. The tests build on each other.
 */

jest.setTimeout(600_000);

const VMIDS = [100, 102, 103];
const ADDRESS = "192.168.2.23";

let lab: Homelab;
beforeAll(async () => {
  lab = await Homelab.start();
  lab.edit((cluster) => (cluster.firewall = { enabled: true, adminNetworks: ["192.168.2.0/24"] }));
  succeeded(await lab.up());
});
beforeEach(() => lab.journal.clear());
afterAll(() => lab?.dispose());

const scaleTo = (count: number): void => lab.edit(({ pools }) => (pools.worker.count = count));
const rulesOf = (vmid: number): string => lab.machines.disk(vmid).firewall ?? "";
const letsIn = (vmid: number): boolean => rulesOf(vmid).includes(ADDRESS);
/** For each time that the server loads rules: whether they admit the node. */
function watchServer(): boolean[] {
  const seen: boolean[] = [];
  lab.journal.watch = ({ what }) => {
    // The journal is called before the rules are loaded.
    if (what === "guest 100 firewall") setImmediate(() => seen.push(letsIn(100)));
  };
  return seen;
}

it("each node has the rules for all nodes before its K3s starts, and a second up changes nothing", async () => {
  for (const vmid of VMIDS) {
    expect(rulesOf(vmid)).toContain("elements = { 192.168.2.20, 192.168.2.21, 192.168.2.22 }");
    expect(lab.machines.disk(vmid).read("etc/k3smesh/rules.nft")).toBe(rulesOf(vmid));
    expect(lab.machines.disk(vmid).has("etc/systemd/system/k3smesh.service")).toBe(true);
  }
  const second = await lab.up();
  succeeded(second);
  expect([second.changes, lab.journal.whats()]).toEqual([{}, [LOOK]]);
});

it("all other nodes admit a new node before its K3s starts", async () => {
  scaleTo(3);
  const up = await lab.up();
  succeeded(up);
  expect(up.changes).toMatchObject({ "homelab-firewall": ["update"], "k3s-worker-03-rules": ["create"] });
  expect(Object.keys(up.changes).filter((name) => /^k3s-(master|worker-0[12])/.test(name))).toEqual([]);
  for (const vmid of VMIDS)
    expect([vmid, letsIn(vmid), lab.journal.inOrder(`guest ${vmid} firewall`, "k3s-worker-03-k3s create")]).toEqual([
      ...[vmid, true, true],
    ]);
  expect(lab.journal.inOrder("guest 104 firewall", "k3s-worker-03-rules create", "k3s-worker-03-k3s create")).toBe(
    true,
  );
  expect(rulesOf(104)).toBe(rulesOf(100));
});

it("a node that leaves is admitted until it has left, and the same up then shuts it out", async () => {
  const seen = watchServer();
  scaleTo(2);
  succeeded(await lab.up());
  lab.journal.watch = () => {};
  const loads = lab.journal.entries.filter(({ what }) => what === "guest 100 firewall");
  expect([loads.length, seen]).toEqual([2, [true, false]]);
  const leave = lab.journal.the("k3s-worker-03-leave delete");
  expect(loads.map(({ began }) => began > leave.began && began < leave.ended)).toEqual([false, true]);
  expect(VMIDS.map(letsIn)).toEqual([false, false, false]);
  lab.journal.clear();
  const second = await lab.up();
  expect([second.code, second.changes, lab.journal.whats()]).toEqual([0, {}, [LOOK]]);
});

it("a node that is down does not delay the others, and gets the rules from the next up after it is back", async () => {
  await lab.machines.stop(103);
  scaleTo(3);
  succeeded(await lab.up());
  expect([letsIn(100), letsIn(102)]).toEqual([true, true]);
  await lab.machines.start(103, lab.host.conf("103")!, () => {});
  expect(letsIn(103)).toBe(false);
  const up = await lab.up();
  succeeded(up);
  expect(up.changes).toEqual({ "homelab-firewall": ["update"] });
  expect(up.warnings.join("\n")).toContain(
    "k3s-worker-02: it runs without the latest rules of its firewall; it gets them now",
  );
  expect(letsIn(103)).toBe(true);
});

it("rules that would lock this machine out are undone, and nothing else happens", async () => {
  const before = lab.machines.disk(100).read("etc/k3smesh/rules.nft");
  lab.edit(({ firewall }) => (firewall.adminNetworks = ["10.9.0.0/24"]));
  const up = await lab.up();
  expect(up.code).toBe(1);
  expect(up.errors.join("\n")).toContain(
    "with the rules of the firewall this machine does not reach k3s-master, k3s-worker-01, k3s-worker-02, k3s-worker-03 by SSH",
  );
  expect(lab.journal.whats("script")).not.toContain("homelab-firewall update");
  expect(lab.machines.disk(100).read("etc/k3smesh/rules.nft")).toBe(before);
  // The timers in the guests are doubles; the real ones do this.
  for (const vmid of [...VMIDS, 104]) lab.machines.disk(vmid).loadFirewall();
  lab.edit(({ firewall }) => (firewall.adminNetworks = ["192.168.2.0/24"]));
  succeeded(await lab.up());
});

it("when it is switched off, nothing of it is left", async () => {
  lab.edit(({ firewall }) => (firewall.enabled = false));
  const up = await lab.up();
  succeeded(up);
  expect(up.changes["homelab-firewall"]).toEqual(["delete"]);
  for (const vmid of [...VMIDS, 104]) {
    const disk = lab.machines.disk(vmid);
    const left = ["etc/k3smesh", "run/k3smesh", "etc/systemd/system/k3smesh.service"].filter((file) => disk.has(file));
    expect([vmid, disk.firewall, left]).toEqual([vmid, undefined, []]);
  }
});
