import * as fs from "node:fs";
import * as path from "node:path";
import type { SimulatedNode } from "../support/doubles/simulatedCluster";
import { Homelab, LOOK } from "../support/homelab";
import { selfSigned } from "../../lab/support/selfSigned";
import { succeeded } from "../support/succeeded";

/**
 * What `up` repairs although nothing in the config has changed: a Node that somebody deleted, a K3s that somebody stopped, a
 * kubeconfig that a server has renewed. Afterwards another `up` changes nothing. The tests build on each other.
 */

jest.setTimeout(600_000);

const AGENTS = ["k3s-worker-01", "k3s-worker-02"];

let lab: Homelab;
beforeAll(async () => {
  lab = await Homelab.start();
  lab.edit(({ pools }) => Object.assign(pools.worker, { labels: { tier: "web" }, taints: ["only=web:NoSchedule"] }));
  succeeded(await lab.up());
});
beforeEach(() => lab.journal.clear());
afterAll(() => lab?.dispose());

const nodes = (): Map<string, SimulatedNode> => [...lab.host.clusters.all.values()][0]!.nodes;
const deleteNode = (name: string): boolean => lab.host.clusters.deleteNode([...lab.host.clusters.all.keys()][0]!, name);
const scripts = (): string[] => lab.journal.whats("script");
/** Expects that another `up` only checks and changes nothing. */
async function expectRest(): Promise<void> {
  lab.journal.clear();
  const run = await lab.up();
  succeeded(run);
  expect([run.changes, lab.journal.whats()]).toEqual([{}, [LOOK]]);
}

it("a deleted Node: its K3s is restarted, its labels and taints are back, and one line reports it", async () => {
  deleteNode("k3s-worker-02");
  const preview = await lab.preview("--expect-no-changes");
  expect([preview.code, scripts()]).toEqual([0, []]);
  const run = await lab.up();
  succeeded(run);
  expect(run.changes).toEqual({ "k3s-worker-02-k3s": ["update"], "k3s-worker-02-ready": ["update"] });
  expect(run.warnings.join("\n")).toContain(
    "k3s-worker-02: its Node is missing; K3s is restarted there, which registers it again",
  );
  expect(run.said[""]).toContain("homelab: k3s-worker-02 is Ready at K3s ");
  const turn = ["k3s-worker-02-k3s update", "k3s-worker-02-back look", "k3s-worker-02-ready update"];
  expect(scripts()).toEqual([LOOK, ...turn]);
  const { labels, taints } = nodes().get("k3s-worker-02")!;
  expect([labels["tier"], taints]).toEqual(["web", [{ key: "only", value: "web", effect: "NoSchedule" }]]);
  await expectRest();
});

it("two deleted Nodes are repaired one after another; if the first does not come back, the other stays as it is", async () => {
  for (const name of AGENTS) {
    deleteNode(name);
    lab.host.failAt(`${name}-back look`, "not Ready");
  }
  const stopped = await lab.up("--continue-on-error");
  const began = scripts().filter((what) => /-k3s update$/.test(what));
  expect([stopped.code, began.length]).toEqual([1, 1]);
  lab.host.clearFailures();
  lab.journal.clear();
  succeeded(await lab.up());
  expect([...nodes().keys()].sort()).toEqual(["k3s-master", ...AGENTS]);
  await expectRest();
});

it("a K3s that somebody stopped is started, first the only server's", async () => {
  for (const vmid of [100, 103]) lab.machines.disk(vmid).endK3s();
  const run = await lab.up();
  succeeded(run);
  expect(Object.keys(run.changes).sort()).toEqual(
    ["k3s-master", "k3s-worker-02"].flatMap((name) => [`${name}-k3s`, `${name}-ready`]),
  );
  expect(lab.journal.inOrder("k3s-master-k3s update", "k3s-worker-02-k3s update")).toBe(true);
  expect(run.warnings.join("\n")).toContain("k3s-master: its K3s does not run; it is started");
  await expectRest();
});

it("an unreachable host, or a cluster that cannot be checked, does not stop an up", async () => {
  lab.faults.set({ kind: "ssh-refused" });
  const unreached = await lab.up();
  lab.faults.clear();
  expect([unreached.code, unreached.changes]).toEqual([0, {}]);
  expect(unreached.warnings.join("\n")).not.toContain("this run repairs nothing");
  lab.host.failAt(LOOK, "the disk is full");
  const blind = await lab.up();
  expect([blind.code, blind.changes]).toEqual([0, {}]);
  expect(blind.warnings.join("\n")).toContain(
    "the cluster could not be checked, so this run repairs nothing in it: homelab-status: the disk is full",
  );
  lab.host.clearFailures();
});

describe("certificates", () => {
  const certificate = (days: number): string => selfSigned({ name: "system:admin", days }).cert;
  const output = async (): Promise<string> =>
    (await lab.pulumi("stack", "output", "kubeconfig", "--show-secrets")).stdout;
  /** Renews a certificate on the server, as K3s does. */
  function renew(pem: string): string {
    const disk = lab.machines.disk(100);
    disk.setCertificate("client-admin", pem);
    const file = path.join(disk.root, "etc/rancher/k3s/k3s.yaml");
    const base64 = Buffer.from(pem).toString("base64");
    const text = fs
      .readFileSync(file, "utf8")
      .replace(/client-certificate-data: [^,]*/, `client-certificate-data: ${base64}`);
    fs.writeFileSync(file, text);
    return base64;
  }

  it("a certificate that a server has renewed is in the stack's kubeconfig", async () => {
    const renewed = renew(certificate(7300));
    const run = await lab.up();
    succeeded(run);
    expect(run.changes).toEqual({ "homelab-kubeconfig": ["update"] });
    expect(await output()).toContain(renewed);
    await expectRest();
  });

  it("a certificate near its end is renewed by a restart of K3s, and the kubeconfig is read afterwards", async () => {
    renew(certificate(20));
    const run = await lab.up();
    succeeded(run);
    expect(Object.keys(run.changes).sort()).toEqual(["homelab-kubeconfig", "k3s-master-k3s", "k3s-master-ready"]);
    expect(lab.journal.inOrder("k3s-master-k3s update", "homelab-kubeconfig update")).toBe(true);
    await expectRest();
  });
});

it("a destroy does not check the cluster", async () => {
  lab.machines.disk(100).endK3s();
  succeeded(await lab.destroy());
  expect(scripts()).not.toContain(LOOK);
});
