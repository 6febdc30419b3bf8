import { Homelab } from "../support/homelab";

/**
 * `proxmox-k3s preview` reads the real state, without a credential and without the passphrase. `up` then does what it announces, in
 * that order. The tests build on each other.
 */

jest.setTimeout(600_000);

interface Announced {
  readonly outcome: string;
  readonly steps: readonly { phase: string; node: string; vmId: number; effect: string; after: readonly string[] }[];
  readonly refusals: readonly { path: string }[];
}

let lab: Homelab;
beforeAll(async () => {
  lab = await Homelab.start();
  const run = await lab.up();
  expect([run.code, run.code === 0 ? "" : run.stdout]).toEqual([0, ""]);
});
beforeEach(() => {
  lab.journal.clear();
  lab.exchanges.length = 0;
});
afterAll(() => lab?.dispose());

/** Runs the preview with the environment of a person who may only read the state. */
async function preview(...args: string[]): Promise<{ code: number; said: Announced }> {
  const all = { ...lab.env };
  lab.takeCredentials();
  delete lab.env["PULUMI_CONFIG_PASSPHRASE"];
  const { code, stdout, stderr } = await lab.command("preview", "--stack", "homelab", "--json", ...args);
  Object.assign(lab.env, all);
  expect([stderr, lab.asked, lab.journal.whats()]).toEqual(["", [], []]);
  return { code, said: JSON.parse(stdout) };
}

/** The journal's entries at the beginning and at the end of a step. */
function traces({ node, vmId, effect }: Announced["steps"][number]): [begins: string, ends: string] {
  switch (effect) {
    case "reboot":
      return [`guest ${vmId} start`, `${node}-back look`];
    case "k3sRestart":
      return [`${node}-k3s update`, `${node}-back look`];
    case "rebuild":
      return [`${node}-leave delete`, `${node}-ready create`];
    case "join":
      return [`${node}-k3s create`, `${node}-ready create`];
    case "leave":
      return [`${node}-leave delete`, `guest ${vmId} destroy`];
    default:
      throw new Error(`no trace of ${effect}`);
  }
}

/** Expects that an `up` does each announced step after those that it must wait for, and the removals at the end. */
async function expectAnnouncedOrder({ steps }: Announced): Promise<void> {
  const run = await lab.up();
  expect([run.code, run.code === 0 ? "" : run.stdout]).toEqual([0, ""]);
  const whats = lab.journal.whats();
  for (const step of steps) {
    const [begins, ends] = traces(step);
    expect(whats).toEqual(expect.arrayContaining([begins, ends]));
    const before = steps.filter(
      ({ node, phase }) => step.after.includes(node) || (step.phase === "removals" && phase !== "removals"),
    );
    for (const other of before) expect(whats.indexOf(begins)).toBeGreaterThan(whats.lastIndexOf(traces(other)[1]));
  }
  expect((await lab.up()).changes).toEqual({});
}

it("nothing, after an up", async () => {
  expect(await preview()).toMatchObject({ code: 0, said: { outcome: "unchanged", steps: [] } });
});

it("a change that is refused", async () => {
  const before = structuredClone(lab.cluster);
  lab.edit(({ pools }) => (pools.worker.disk = "20GB"));
  const { code, said } = await preview();
  expect([code, said.outcome, said.refusals.map(({ path }) => path)]).toEqual([
    1,
    "refused",
    ["cluster.pools.worker.disk", "cluster.pools.worker.disk"],
  ]);
  lab.edit((cluster) => Object.assign(cluster, before));
});

it("memory: the server reboots, then the workers", async () => {
  lab.edit(({ pools }) => {
    pools.master.memory = "5GB";
    pools.worker.memory = "9GB";
  });
  const { said } = await preview();
  expect(said.steps.map(({ node, effect, after }) => [node, effect, after])).toEqual([
    ["k3s-master", "reboot", []],
    ["k3s-worker-01", "reboot", ["k3s-master"]],
    ["k3s-worker-02", "reboot", ["k3s-master"]],
  ]);
  await expectAnnouncedOrder(said);
});

it("a rebuild after a new version, and a new node", async () => {
  lab.edit((cluster) => {
    cluster.version = "v1.36.4+k3s1";
    cluster.pools.worker.count = 3;
    cluster.pools.worker.vmIds = [102, 213, 204];
  });
  const { said } = await preview();
  expect(said.steps.map(({ node, effect }) => [node, effect])).toEqual([
    ["k3s-master", "k3sRestart"],
    ["k3s-worker-03", "join"],
    ["k3s-worker-01", "k3sRestart"],
    ["k3s-worker-02", "rebuild"],
  ]);
  await expectAnnouncedOrder(said);
});

it("a removal, after a reboot", async () => {
  lab.edit(({ pools }) => {
    pools.worker.retired = [2];
    pools.worker.count = 2;
    pools.worker.memory = "10GB";
  });
  const { said } = await preview();
  expect(said.steps.map(({ node, effect }) => [node, effect])).toEqual([
    ["k3s-worker-01", "reboot"],
    ["k3s-worker-03", "reboot"],
    ["k3s-worker-02", "leave"],
  ]);
  await expectAnnouncedOrder(said);
});
