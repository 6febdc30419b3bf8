import * as fs from "node:fs";
import { Homelab, LOOK } from "../support/homelab";
import type { PulumiResult } from "../support/pulumiResult";
import { newKeyPair } from "../support/sshKeys";

/** Which resources a change of the program or its config updates, and which stay. The tests build on each other. */

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

/** The resources of these scripts: of the cluster, and of each node. */
const resources = (cluster: readonly string[], node: readonly string[]): string[] =>
  [
    ...cluster.map((script) => `homelab-${script}`),
    ...NODES.flatMap((name) => node.map((each) => `${name}-${each}`)),
  ].sort();

/** Expects that the run succeeded, updated exactly these resources and sent no change to Proxmox VE. */
function expectUpdates(run: PulumiResult, cluster: readonly string[], node: readonly string[]): void {
  expect([run.code, run.code === 0 ? "" : run.stdout]).toEqual([0, ""]);
  const expected = resources(cluster, node);
  expect(Object.keys(run.changes).sort()).toEqual(expected);
  expect(Object.values(run.changes)).toEqual(expected.map(() => ["update"]));
  expect(lab.asked).toEqual([]);
}

it("an edited script runs again on its machine; the removal script changes only the roster", async () => {
  lab.editProgram("scripts/host/ready.sh", (text) => `${text}\n# edited\n`);
  lab.editProgram("scripts/host/leave.sh", (text) => `${text}\n# edited\n`);
  expectUpdates(await lab.up(), ["roster"], ["ready"]);
  const scripts = [LOOK, ...resources(["roster"], ["ready"]).map((step) => `${step} update`)];
  expect(lab.journal.whats("script").sort()).toEqual(scripts.sort());
});

it("the removal policy changes only the roster, and applies to removals in the same run", async () => {
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
  // The time limit that is stored with the leave is large enough for any policy.
  const leave = lab.host.tasks.find(({ step }) => step === "k3s-worker-03-leave");
  expect(Number(leave?.args["BOUND"])).toBeGreaterThan(2 * 1200);
});

it("a changed setting updates only the machines, after a check that they are ours", async () => {
  lab.edit(({ pools }) => (pools.worker.cores = 6));
  const run = await lab.up();
  expect(run.code).toBe(0);
  const agents = ["k3s-worker-01", "k3s-worker-02"];
  expect(run.changes).toEqual(Object.fromEntries(agents.map((name) => [name, ["update"]])));
  expect(lab.journal.inOrder("k3s-worker-01-claim update", "PUT /nodes/pve/lxc/102/config")).toBe(true);

  // Another person's guest has the VMID now.
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
  it("another name neither moves nor rebuilds existing guests", async () => {
    lab.edit(({ proxmox }) => (proxmox.resourcePool = "edge"));
    expectUpdates(await lab.up(), ["preflight"], []);
    lab.edit(({ proxmox }) => delete proxmox.resourcePool);
    expectUpdates(await lab.up(), ["preflight"], []);
  });

  it("has the guests that the token may change: a guest that somebody moved out is refused until it is back", async () => {
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

  it("is announced by the preview, and reboots one guest at a time", async () => {
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

  it("stops if a node does not become Ready, and the next up continues", async () => {
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

it("a new version updates K3s, its checksums and each node's check, as the preview says", async () => {
  lab.edit((cluster) => (cluster.version = "v1.36.4+k3s1"));
  const preview = await lab.preview();
  const run = await lab.up();
  expectUpdates(run, ["release-sums"], ["artifacts", "k3s", "ready"]);
  expect(preview.changes).toEqual(run.changes);
  expect(new Set(lab.host.members.values())).toEqual(new Set(["v1.36.4+k3s1"]));
});

describe("a change of K3s", () => {
  const AGENTS = ["k3s-worker-01", "k3s-worker-02"];
  /** The scripts of one node's update. */
  const turn = (name: string): string[] => [`${name}-k3s update`, `${name}-back look`];
  const turns = (): string[] => lab.journal.whats("script").filter((what) => /-k3s update$|-back look$/.test(what));
  const label = (value: string): void =>
    lab.edit((cluster) => (cluster.k3s.agentConfig = { "kubelet-arg": [`max-pods=${value}`] }));

  it("updates the agents one after another, each Ready before the next", async () => {
    label("100");
    const run = await lab.up();
    expect([run.code, run.errors]).toEqual([0, []]);
    expect(run.changes).toEqual(Object.fromEntries(AGENTS.map((name) => [`${name}-k3s`, ["update"]])));
    expect([AGENTS.flatMap(turn), [...AGENTS].reverse().flatMap(turn)]).toContainEqual(turns());
  });

  it("updates as many nodes at a time as the config says", async () => {
    lab.edit((cluster) => (cluster.rollout = { concurrency: 2 }));
    label("101");
    // Both must begin before either may end.
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

  it("that one node refuses does not reach another node, and the next up continues", async () => {
    for (const name of AGENTS) lab.host.failAt(`${name}-k3s update`, "unknown flag: --max-pod");
    label("102");
    const stopped = await lab.up("--continue-on-error");
    const [first, second] = turns()[0]!.startsWith(AGENTS[0]!) ? AGENTS : [...AGENTS].reverse();
    expect([stopped.code, turns()]).toEqual([1, [`${first}-k3s update`]]);
    // The cause must be above Pulumi's own message, which begins with the whole command.
    const [cause, command] = ["unknown flag: --max-pod", 'running "#'].map((text) => stopped.stdout.indexOf(text));
    expect([cause! > 0, cause! < command!]).toEqual([true, true]);
    expect(stopped.errors.join("\n")).toContain(
      `${second} was not changed (this would change its K3s): the change of K3s failed on ${first}`,
    );
    lab.host.clearFailures();
    const next = await lab.up();
    expect([next.code, Object.keys(next.changes).sort()]).toEqual([0, AGENTS.map((name) => `${name}-k3s`)]);
  });

  it("stops at a node that does not come back", async () => {
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

  it("a changed mirror restarts K3s on one node after another, as the preview says, and a second up changes nothing", async () => {
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

  it("a new password alone also restarts K3s, and neither a preview nor the state shows it", async () => {
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

  it("that are removed from the config are removed from the nodes in the same way", async () => {
    lab.edit((cluster) => delete cluster.k3s.registries);
    const run = await lab.up();
    expect([run.code, Object.keys(run.changes).sort()]).toEqual([0, [...K3S].sort()]);
    expect(turns()).toHaveLength(2 * NODES.length);
  });
});

describe("keys and tokens", () => {
  const fresh = newKeyPair();

  it("an additional key for the nodes changes only the containers", async () => {
    lab.edit((cluster) => cluster.ssh.authorizedKeys.push(fresh.public));
    expectUpdates(await lab.up(), [], ["lxc"]);
  });

  it("a switch to it updates every resource that connects to the nodes, and works", async () => {
    fs.writeFileSync(lab.env["PROXMOX_K3S_NODE_SSH_KEY_FILE"]!, fresh.private);
    lab.edit((cluster) => (cluster.ssh.authorizedKeys = [fresh.public]));
    expectUpdates(await lab.up(), [], ["lxc", "artifacts", "k3s"]);
  });

  it("a new key for the host runs its scripts again, and nothing restarts on the nodes", async () => {
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

  it("a guest's new host key stops connections to it; the error names the command that reads the new key", async () => {
    lab.machines.disk(103).hostKey = newKeyPair();
    // It also causes a connection to every node.
    lab.editProgram("remote/dialing.ts", (text) => text.replace("node: 20", "node: 2"));
    const refused = await lab.up("--continue-on-error");
    // The other worker is changed anyway, before or after this one.
    expect(refused.failed).toEqual(["k3s-worker-02-artifacts"]);
    expect(lab.journal.whats("script")).toContain("k3s-worker-01-k3s update");
    const [, next = ""] = /pulumi up --replace '([^']+)'/.exec(refused.warnings.join("\n")) ?? [];
    expect(next).toBe("**::k3s-worker-02-host-key");
    const run = await lab.up("--replace", next);
    expect([run.code, run.errors]).toEqual([0, []]);
    expect((await lab.up()).changes).toEqual({});
  });

  it("a new API token changes only the provider", async () => {
    lab.env["PROXMOX_VE_API_TOKEN"] = lab.newApiToken("second");
    const { code, changes } = await lab.up();
    expect([code, changes]).toEqual([0, { homelab: ["update"] }]);
    expect(lab.journal.whats("script")).toEqual([LOOK]);
  });
});

it("afterwards, a preview without credentials shows no change", async () => {
  lab.takeCredentials();
  const { code, changes } = await lab.preview("--expect-no-changes");
  expect([code, changes]).toEqual([0, {}]);
});
