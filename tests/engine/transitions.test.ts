import { Homelab } from "../support/homelab";
import { succeeded } from "../support/succeeded";

/**
 * The state decides whether a change is possible. `up` does what the preview says, and an impossible change stops both before
 * anything is touched. The tests build on each other.
 */

jest.setTimeout(600_000);

const CORRECTED = "cluster.network.podCidr";

let lab: Homelab;
beforeAll(async () => {
  lab = await Homelab.start();
});
beforeEach(() => {
  lab.journal.clear();
  lab.exchanges.length = 0;
});
afterAll(() => lab?.dispose());

/** A preview's lines about nodes. */
const announced = async (): Promise<string[]> => {
  const run = await lab.preview();
  succeeded(run);
  return run.warnings.flatMap((warning) => /(?:^|: )(k3s-[a-z0-9-]+: .*)$/m.exec(warning)?.[1] ?? []).sort();
};
const scripts = (): string[] => lab.journal.whats("script");

/** Expects these problems, and no request to Proxmox VE or a machine. */
async function expectRefused(...problems: string[]): Promise<void> {
  for (const run of [await lab.preview(), await lab.up()]) {
    expect(run.code).not.toBe(0);
    const said = `${run.errors.join("\n")}\n${run.stdout}`;
    for (const problem of problems) expect(said).toContain(problem);
  }
  expect([lab.asked, lab.journal.whats()]).toEqual([[], []]);
}

describe("a first up that fails before a guest is made", () => {
  it("does not fix its settings", async () => {
    lab.host.failAt("homelab-preflight create", "the host is not ready");
    expect((await lab.up()).code).not.toBe(0);
    lab.host.clearFailures();
    lab.edit(({ network }) => (network.podCidr = "10.99.0.0/16"));
    const run = await lab.preview();
    expect([run.code, run.stdout.includes(CORRECTED)]).toEqual([0, false]);
    succeeded(await lab.up());
  });
});

describe("on an existing cluster", () => {
  it("nothing is announced if nothing changes", async () => {
    expect(await announced()).toEqual([]);
    expect((await lab.up()).changes).toEqual({});
  });

  it("every problem is named at once, in the preview and in up, and nothing is touched", async () => {
    const before = structuredClone(lab.cluster);
    lab.edit((cluster) => {
      cluster.name = "lab2";
      cluster.network.podCidr = "10.42.0.0/16";
      cluster.version = "v1.35.3+k3s1";
      cluster.pools.worker.disk = "20GB";
    });
    await expectRefused(
      "cluster.name: cannot become lab2",
      "cluster.network.podCidr: cannot become 10.42.0.0/16: K3s cannot change the pods' network of an existing cluster (set it back to 10.99.0.0/16",
      "cluster.version: cannot go down to v1.35.3+k3s1",
      "cluster.pools.worker.disk: cannot shrink the disk of k3s-worker-01 from 50GB to 20GB",
      "cluster.pools.worker.disk: cannot shrink the disk of k3s-worker-02 from 50GB to 20GB",
    );
    lab.edit((cluster) => Object.assign(cluster, before));
    expect((await lab.up()).changes).toEqual({});
  });

  it("a setting that counts only at the creation changes nothing: a wrong storage, another distribution", async () => {
    const before = structuredClone(lab.cluster);
    lab.edit(({ proxmox, pools }) => {
      proxmox.template = "local:vztmpl/debian-12-standard_12.7-1_amd64.tar.zst";
      pools.worker.storage = "local-lmv";
    });
    expect(await announced()).toEqual([]);
    const run = await lab.up();
    succeeded(run);
    expect(Object.keys(run.changes).filter((name) => name.startsWith("k3s-"))).toEqual([]);
    expect(lab.journal.whats().filter((what) => what.startsWith("guest "))).toEqual([]);
    lab.edit((cluster) => Object.assign(cluster, before));
    lab.edit(({ pools }) => delete pools.worker.storage);
    succeeded(await lab.up());
  });

  it("rebuilds are announced, and happen one after another", async () => {
    lab.edit(({ pools }) => (pools.worker.vmIds = { from: 202 }));
    expect(await announced()).toEqual(
      [1, 2].map((index) => `k3s-worker-0${index}: drain and rebuild, for its VMID; one node at a time`),
    );
    succeeded(await lab.up());
    const order = [
      "k3s-worker-01-leave delete",
      "guest 102 destroy",
      "guest 202 create",
      "k3s-worker-01-ready create",
      "k3s-worker-02-leave delete",
      "guest 103 destroy",
      "guest 203 create",
      "k3s-worker-02-ready create",
    ];
    expect(lab.journal.inOrder(...order)).toBe(true);
    expect([...lab.machines.guests.keys()].sort()).toEqual([100, 202, 203]);
    expect((await lab.up()).changes).toEqual({});
  });

  describe("rebuilds by --replace, which the program does not see", () => {
    const NODES = ["k3s-worker-01", "k3s-worker-02"];
    const replace = (...names: string[]): string[] => names.flatMap((name) => ["--replace", `**Legacy::${name}`]);
    const machines = (): string[] => lab.journal.whats("machine");
    beforeEach(() => {
      // Both leaves begin before one of them checks the other node.
      const begun = NODES.map((name) => `${name}-leave delete`);
      lab.host.delay = ({ step }) => (step.endsWith("-leave") ? lab.once(...begun) : 0);
    });
    afterEach(() => (lab.host.delay = () => 0));

    it("are refused before a node is disturbed, if there are more of them than rollout.concurrency", async () => {
      const refused = await lab.up(...replace(...NODES));
      expect([refused.code, machines()]).toEqual([1, []]);
      const [, next = ""] = /pulumi up --replace '([^']+)'/.exec(refused.errors.join("\n")) ?? [];
      expect([...lab.host.members.keys()]).toEqual(expect.arrayContaining(NODES));
      lab.host.delay = () => 0;
      lab.journal.clear();
      succeeded(await lab.up("--replace", next));
      const name = next.split("::")[1]!;
      const vmId = name === NODES[0] ? 202 : 203;
      const order = [`${name}-leave delete`, `guest ${vmId} destroy`, `guest ${vmId} create`, `${name}-ready create`];
      expect(lab.journal.inOrder(...order)).toBe(true);
      expect(machines().filter((what) => !what.startsWith(`guest ${vmId} `))).toEqual([]);
      expect((await lab.up()).changes).toEqual({});
    });

    it("happen at the same time if the config allows it", async () => {
      lab.edit((cluster) => (cluster.rollout = { concurrency: 2 }));
      succeeded(await lab.up(...replace(...NODES)));
      expect(lab.journal.overlap("k3s-worker-01-leave delete", "k3s-worker-02-leave delete")).toBe(true);
      expect(machines()).toEqual(expect.arrayContaining(["guest 202 create", "guest 203 create"]));
      lab.edit((cluster) => delete cluster.rollout);
      expect((await lab.up()).changes).toEqual({});
    });
  });

  it("a rebuild comes after a restart and a reboot; a new node does not wait for them", async () => {
    lab.edit(({ pools }) => {
      pools.worker.count = 3;
      pools.worker.vmIds = [202, 213, 204];
      pools.worker.nodes = { 1: { memory: "9GB" } };
    });
    expect(await announced()).toEqual([
      "k3s-worker-01: reboot, for its memory; one node at a time",
      "k3s-worker-02: drain and rebuild, for its VMID; one node at a time",
    ]);
    succeeded(await lab.up());
    expect(lab.journal.inOrder("guest 202 start", "k3s-worker-01-back look", "k3s-worker-02-leave delete")).toBe(true);
    expect(scripts()).toContain("k3s-worker-03-ready create");
    expect((await lab.up()).changes).toEqual({});
  });

  it("a removal is announced, and so is each node's restart for a new version", async () => {
    lab.edit((cluster) => {
      cluster.version = "v1.36.4+k3s1";
      cluster.pools.worker.count = 2;
    });
    expect(await announced()).toEqual([
      "k3s-master: K3s restart, for its version; one node at a time",
      "k3s-worker-01: K3s restart, for its version; one node at a time",
      "k3s-worker-02: K3s restart, for its version; one node at a time",
      "k3s-worker-03: drain and removal; its guest is destroyed with its disk",
    ]);
    succeeded(await lab.up());
    expect(
      scripts()
        .filter((what) => /-k3s update$|-leave delete$/.test(what))
        .sort(),
    ).toEqual([
      "k3s-master-k3s update",
      "k3s-worker-01-k3s update",
      "k3s-worker-02-k3s update",
      "k3s-worker-03-leave delete",
    ]);
  });

  it("a destroy does not check the change", async () => {
    lab.edit((cluster) => (cluster.version = "v1.35.3+k3s1"));
    succeeded(await lab.destroy());
    expect(await lab.state()).toEqual([]);
  });
});
