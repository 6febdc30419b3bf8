import * as fs from "node:fs";
import { Homelab, LOOK } from "../support/homelab";
import type { PulumiResult } from "../support/pulumiResult";
import { newKeyPair } from "../support/sshKeys";

/** What a change of the program or its config reaches, and what it leaves alone: the tests build on each other. */

jest.setTimeout(600_000);

const NODES = ["k3s-master", "k3s-worker-01", "k3s-worker-02"];

let lab: Homelab;
beforeAll(async () => {
  lab = await Homelab.start();
  const { code, stdout } = await lab.up();
  expect([code, code === 0 ? "" : stdout]).toEqual([0, ""]);
});
beforeEach(() => {
  lab.journal.clear();
  lab.exchanges.length = 0;
});
afterAll(() => lab?.dispose());

/** The resources of these scripts, a node's for each node. */
const resources = (cluster: readonly string[], node: readonly string[]): string[] =>
  [
    ...cluster.map((script) => `homelab-${script}`),
    ...NODES.flatMap((name) => node.map((each) => `${name}-${each}`)),
  ].sort();

/** The run succeeded, updated exactly these, and asked nothing of Proxmox. */
function expectUpdates(run: PulumiResult, cluster: readonly string[], node: readonly string[]): void {
  expect([run.code, run.code === 0 ? "" : run.stdout]).toEqual([0, ""]);
  const expected = resources(cluster, node);
  expect(Object.keys(run.changes).sort()).toEqual(expected);
  expect(Object.values(run.changes)).toEqual(expected.map(() => ["update"]));
  expect(lab.asked).toEqual([]);
}

it("an edited script runs again where it stands; the removal script reaches the roster alone", async () => {
  lab.editProgram("scripts/host/ready.sh", (text) => `${text}\n# edited\n`);
  lab.editProgram("scripts/host/leave.sh", (text) => `${text}\n# edited\n`);
  expectUpdates(await lab.up(), ["roster"], ["ready"]);
  const scripts = [LOOK, ...resources(["roster"], ["ready"]).map((step) => `${step} update`)];
  expect(lab.journal.whats("script").sort()).toEqual(scripts.sort());
});

it("the policy of removals reaches the roster alone, and the removals of the same run", async () => {
  lab.edit((cluster) => (cluster.removal = { drainTimeout: "7m", onBlocked: "force" }));
  expectUpdates(await lab.up(), ["roster"], []);
  lab.edit((cluster) => {
    cluster.removal = { drainTimeout: "9m" };
    cluster.pools.worker.count = 3;
  });
  expect((await lab.up()).changes["homelab-roster"]).toEqual(["update"]);
  lab.journal.clear();
  lab.edit((cluster) => {
    cluster.removal = { drainTimeout: "20m" };
    cluster.pools.worker.count = 2;
  });
  const { code, changes } = await lab.up();
  expect(code).toBe(0);
  expect(changes["homelab-roster"]).toEqual(["update"]);
  expect(lab.journal.inOrder("homelab-roster update", "k3s-worker-03-leave delete")).toBe(true);
  expect(lab.host.kept("policy")[0]).toMatch(/^DRAIN_TIMEOUT=1200$/m);
  // The bound that is stored with the leave is wide enough for any policy.
  const leave = lab.host.tasks.find(({ step }) => step === "k3s-worker-03-leave");
  expect(Number(leave?.args["BOUND"])).toBeGreaterThan(2 * 1200);
});

it("a changed setting reaches the machines alone, after a look at whose they are", async () => {
  lab.edit(({ pools }) => (pools.worker.cores = 6));
  const run = await lab.up();
  expect(run.code).toBe(0);
  const agents = ["k3s-worker-01", "k3s-worker-02"];
  expect(run.changes).toEqual(Object.fromEntries(agents.map((name) => [name, ["update"]])));
  expect(lab.journal.inOrder("k3s-worker-01-claim update", "PUT /nodes/pve/lxc/102/config")).toBe(true);

  // A guest of somebody else's took the VMID meanwhile.
  const file = lab.host.confFile(103);
  const [ours, theirs] = [fs.readFileSync(file, "utf8"), "#somebody else's\nhostname: nas\ncores: 1\n"];
  fs.writeFileSync(file, theirs);
  lab.edit(({ pools }) => (pools.worker.cores = 4));
  const refused = await lab.up("--continue-on-error");
  expect(refused.code).not.toBe(0);
  expect(refused.failed).toEqual(["k3s-worker-02"]);
  expect(fs.readFileSync(file, "utf8")).toBe(theirs);
  fs.writeFileSync(file, ours);
  expect((await lab.up()).code).toBe(0);
});

describe("the resource pool", () => {
  it("another one neither moves nor rebuilds what stands", async () => {
    lab.edit(({ proxmox }) => (proxmox.resourcePool = "edge"));
    expectUpdates(await lab.up(), ["preflight"], []);
    lab.edit(({ proxmox }) => delete proxmox.resourcePool);
    expectUpdates(await lab.up(), ["preflight"], []);
  });

  it("holds what the token may change: a guest that somebody moved out of it is not, until it is back", async () => {
    const pool = (change: (vmids: Set<number>) => void): void =>
      lab.host.access.update(({ pools }) => change(pools.get("homelab")!.vms));
    pool((vmids) => vmids.delete(102));
    lab.edit(({ pools }) => (pools.worker.cores = 5));
    const refused = await lab.up();
    expect([refused.code, refused.failed]).toEqual([1, ["k3s-worker-01"]]);
    expect(refused.warnings.join("\n")).toContain(
      "k3s-worker-01: the API token may not change guest 102, which is not in the resource pool homelab\nnext:  pveum pool modify homelab --allow-move 1 --vms 102 on the Proxmox host, then pulumi up",
    );
    pool((vmids) => vmids.add(102));
    lab.edit(({ pools }) => (pools.worker.cores = 4));
    expect((await lab.up()).code).toBe(0);
    expect((await lab.up()).changes).toEqual({});
  });
});

describe("a change that reboots guests", () => {
  const AGENTS = { "k3s-worker-01": 102, "k3s-worker-02": 103 };
  const notice = (name: string): string => `${name}: reboot, for its memory; one node at a time`;
  const memories = (): string[] =>
    Object.values(AGENTS).map(
      (vmid) => /^memory: (\d+)$/m.exec(fs.readFileSync(lab.host.confFile(vmid), "utf8"))?.[1] ?? "none",
    );
  const reboots = (): string[] => lab.journal.whats().filter((what) => /^guest \d+ start$|-back look$/.test(what));

  it("is called so by the preview, and lets one guest go at a time", async () => {
    lab.edit(({ pools }) => (pools.worker.memory = "9GB"));
    const { warnings } = await lab.preview();
    expect(warnings.filter((warning) => warning.includes("reboot,")).sort()).toEqual(Object.keys(AGENTS).map(notice));
    expect(reboots()).toEqual([]);
    const run = await lab.up();
    expect([run.code, run.errors]).toEqual([0, []]);
    const turns = Object.entries(AGENTS).map(([name, vmid]) => [`guest ${vmid} start`, `${name}-back look`]);
    expect([turns.flat(), turns.reverse().flat()]).toContainEqual(reboots());
    expect(memories()).toEqual(["9216", "9216"]);
  });

  it("stops where a node does not become Ready, and goes on with the next up", async () => {
    for (const name of Object.keys(AGENTS)) lab.host.failAt(`${name}-back look`, "not Ready");
    lab.edit(({ pools }) => (pools.worker.memory = "10GB"));
    const stopped = await lab.up();
    expect(stopped.code).not.toBe(0);
    const [first, second] = memories()[0] === "10240" ? Object.keys(AGENTS) : Object.keys(AGENTS).reverse();
    expect(memories().sort()).toEqual(["10240", "9216"]);
    expect(stopped.errors.join("\n")).toContain(`error: ${first}-back: not Ready`);
    expect(stopped.errors.join("\n")).toContain(
      `${second} was not changed (this would reboot it): ${first} is not Ready after its own reboot`,
    );
    lab.host.clearFailures();
    const next = await lab.up();
    expect([next.code, Object.keys(next.changes)]).toEqual([0, [second]]);
    expect(memories()).toEqual(["10240", "10240"]);
  });
});

it("a new version reaches K3s, its sums and the check of each node, as the preview says", async () => {
  lab.edit((cluster) => (cluster.version = "v1.36.4+k3s1"));
  const preview = await lab.preview();
  const run = await lab.up();
  expectUpdates(run, ["release-sums"], ["artifacts", "k3s", "ready"]);
  expect(preview.changes).toEqual(run.changes);
  expect(new Set(lab.host.members.values())).toEqual(new Set(["v1.36.4+k3s1"]));
});

describe("a change of K3s", () => {
  const AGENTS = ["k3s-worker-01", "k3s-worker-02"];
  /** What a node goes through in its turn. */
  const turn = (name: string): string[] => [`${name}-k3s update`, `${name}-back look`];
  const turns = (): string[] => lab.journal.whats("script").filter((what) => /-k3s update$|-back look$/.test(what));
  const label = (value: string): void =>
    lab.edit((cluster) => (cluster.k3s.agentConfig = { "kubelet-arg": [`max-pods=${value}`] }));

  it("reaches the agents one after another, each Ready before the next", async () => {
    label("100");
    const run = await lab.up();
    expect([run.code, run.errors]).toEqual([0, []]);
    expect(run.changes).toEqual(Object.fromEntries(AGENTS.map((name) => [`${name}-k3s`, ["update"]])));
    expect([AGENTS.flatMap(turn), [...AGENTS].reverse().flatMap(turn)]).toContainEqual(turns());
  });

  it("reaches as many at a time as the config says", async () => {
    lab.edit((cluster) => (cluster.rollout = { concurrency: 2 }));
    label("101");
    // Neither ends before both have begun.
    const begun = new Set<string>();
    let bothBegan = (): void => {};
    const both = new Promise<number>((resolve) => (bothBegan = () => resolve(0)));
    lab.host.delay = ({ step, action }) => {
      if (!step.endsWith("-k3s") || action !== "update") return 10;
      if (begun.add(step).size === AGENTS.length) bothBegan();
      return both;
    };
    const run = await lab.up();
    lab.host.delay = () => 10;
    expect([run.code, run.errors]).toEqual([0, []]);
    expect(turns().sort()).toEqual(AGENTS.flatMap(turn).sort());
    lab.edit((cluster) => delete cluster.rollout);
  });

  it("that one node refuses reaches no other, and the next up goes on", async () => {
    for (const name of AGENTS) lab.host.failAt(`${name}-k3s update`, "unknown flag: --max-pod");
    label("102");
    const stopped = await lab.up("--continue-on-error");
    const [first, second] = turns()[0]!.startsWith(AGENTS[0]!) ? AGENTS : [...AGENTS].reverse();
    expect([stopped.code, turns()]).toEqual([1, [`${first}-k3s update`]]);
    // The cause stands above Pulumi's own message, which begins with the whole command.
    const [cause, command] = ["unknown flag: --max-pod", 'running "#'].map((text) => stopped.stdout.indexOf(text));
    expect([cause! > 0, cause! < command!]).toEqual([true, true]);
    expect(stopped.errors.join("\n")).toContain(
      `${second} was not changed (this would change its K3s): the change of K3s failed on ${first}`,
    );
    lab.host.clearFailures();
    const next = await lab.up();
    expect([next.code, Object.keys(next.changes).sort()]).toEqual([0, AGENTS.map((name) => `${name}-k3s`)]);
  });

  it("after which a node does not come back stops there", async () => {
    for (const name of AGENTS) lab.host.failAt(`${name}-back look`, "not Ready");
    label("103");
    const stopped = await lab.up("--continue-on-error");
    const [first, second] = turns()[0]!.startsWith(AGENTS[0]!) ? AGENTS : [...AGENTS].reverse();
    expect([stopped.code, turns()]).toEqual([1, turn(first!)]);
    expect(stopped.errors.join("\n")).toContain(`error: ${first}-back: not Ready`);
    expect(stopped.errors.join("\n")).toContain(
      `${second} was not changed (this would change its K3s): ${first} is not Ready after the change of its K3s`,
    );
    lab.host.clearFailures();
    const next = await lab.up();
    expect([next.code, Object.keys(next.changes)]).toEqual([0, [`${second}-k3s`]]);
  });
});

describe("registries", () => {
  const K3S = NODES.map((name) => `${name}-k3s`);
  const turns = (): string[] => lab.journal.whats("script").filter((what) => /-k3s update$|-back look$/.test(what));
  const inTurns = (names: readonly string[]): string[] =>
    names.flatMap((name) => [`${name}-k3s update`, `${name}-back look`]);
  const mirror = (endpoint: string): void =>
    lab.edit((cluster) => (cluster.k3s.registries = { mirrors: { "docker.io": { endpoints: [endpoint] } } }));

  it("a changed mirror restarts K3s in turns, as the preview says, and a second up changes nothing", async () => {
    for (const endpoint of ["https://registry.lan:5000", "https://other.lan"]) {
      mirror(endpoint);
      lab.journal.clear();
      const preview = await lab.preview();
      expect(preview.stdout).toContain("k3s-master: K3s restart, for its registries; one node at a time");
      const run = await lab.up();
      expect([run.code, run.errors]).toEqual([0, []]);
      expect(run.changes).toEqual(Object.fromEntries(K3S.map((step) => [step, ["update"]])));
      const [server, ...agents] = NODES;
      expect([inTurns([server!, ...agents]), inTurns([server!, ...agents.reverse()])]).toContainEqual(turns());
      lab.journal.clear();
      expect((await lab.up()).changes).toEqual({});
      expect(turns()).toEqual([]);
    }
  });

  it("another password alone restarts K3s too, and neither a preview nor the state shows it", async () => {
    const variable = "PROXMOX_K3S_REGISTRY_AUTH_FILE";
    const password = (value: string): void =>
      fs.writeFileSync(
        lab.scratch("auth.json"),
        JSON.stringify({ auths: { "other.lan": { username: "reader", password: value } } }),
      );
    lab.env[variable] = lab.scratch("auth.json");
    lab.edit(({ k3s }) => (k3s.registries.configs = { "other.lan": { auth: true } }));
    password("sesame-of-monday");
    expect((await lab.up()).code).toBe(0);
    password("sesame-of-tuesday");
    const preview = await lab.preview();
    expect(preview.stdout).toContain("k3s-worker-01: K3s restart, for its registries; one node at a time");
    lab.journal.clear();
    const run = await lab.up();
    expect([run.code, Object.keys(run.changes).sort()]).toEqual([0, [...K3S].sort()]);
    expect(turns()).toHaveLength(2 * NODES.length);
    const state = (await lab.pulumi("stack", "export")).stdout;
    for (const text of [preview.stdout, preview.stderr, run.stdout, run.stderr, state])
      expect(text).not.toContain("sesame-of");
    delete lab.env[variable];
  });

  it("that are taken out of the config leave the nodes in the same way", async () => {
    lab.edit((cluster) => delete cluster.k3s.registries);
    const run = await lab.up();
    expect([run.code, Object.keys(run.changes).sort()]).toEqual([0, [...K3S].sort()]);
    expect(turns()).toHaveLength(2 * NODES.length);
  });
});

describe("keys and tokens", () => {
  const fresh = newKeyPair();

  it("a further key for the nodes reaches the containers alone", async () => {
    lab.edit((cluster) => cluster.ssh.authorizedKeys.push(fresh.public));
    expectUpdates(await lab.up(), [], ["lxc"]);
  });

  it("the switch to it reaches what connects to the nodes, and works", async () => {
    fs.writeFileSync(lab.env["PROXMOX_K3S_NODE_SSH_KEY_FILE"]!, fresh.private);
    lab.edit((cluster) => (cluster.ssh.authorizedKeys = [fresh.public]));
    expectUpdates(await lab.up(), [], ["lxc", "artifacts", "k3s"]);
  });

  it("a new key for the host runs its scripts again and restarts nothing on the nodes", async () => {
    const key = newKeyPair();
    lab.host.authorizedKeys.push(key.public);
    fs.writeFileSync(lab.env["PROXMOX_K3S_HOST_SSH_KEY_FILE"]!, key.private);
    const run = await lab.up();
    expectUpdates(
      run,
      ["roster", "preflight", "release-sums", "ca-hash", "kubeconfig"],
      ["guard", "lxc", "host-key", "leave", "ready"],
    );
  });

  it("a guest's new host key stops what connects to it, and is read by the command that the error names", async () => {
    lab.machines.disk(103).hostKey = newKeyPair();
    // It also makes every node be dialled.
    lab.editProgram("remote/dialing.ts", (text) => text.replace("node: 20", "node: 2"));
    const refused = await lab.up("--continue-on-error");
    // The other workers are changed all the same, before it or after it.
    expect(refused.failed).toEqual(["k3s-worker-02-artifacts"]);
    expect(lab.journal.whats("script")).toContain("k3s-worker-01-k3s update");
    const [, next = ""] = /pulumi up --replace '([^']+)'/.exec(refused.warnings.join("\n")) ?? [];
    expect(next).toBe("**::k3s-worker-02-host-key");
    const run = await lab.up("--replace", next);
    expect([run.code, run.errors]).toEqual([0, []]);
    expect((await lab.up()).changes).toEqual({});
  });

  it("a new API token reaches the provider alone", async () => {
    lab.env["PROXMOX_VE_API_TOKEN"] = lab.newApiToken("second");
    const { code, changes } = await lab.up();
    expect([code, changes]).toEqual([0, { homelab: ["update"] }]);
    expect(lab.journal.whats("script")).toEqual([LOOK]);
  });
});

it("a preview after all that, without credentials, shows no change", async () => {
  lab.takeCredentials();
  const { code, changes } = await lab.preview("--expect-no-changes");
  expect([code, changes]).toEqual([0, {}]);
});
