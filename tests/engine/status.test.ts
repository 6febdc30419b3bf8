import * as fs from "node:fs";
import * as path from "node:path";
import { addLonghornNode, addLonghornVolume, installLonghorn } from "../support/doubles/longhornController";
import type { SimulatedNode } from "../support/doubles/simulatedCluster";
import { Homelab, type HomelabSnapshot } from "../support/homelab";
import { homelabAtRest } from "../support/homelabAtRest";
import { selfSigned } from "../../lab/support/selfSigned";

/** `status` and `kubeconfig` on a real stack with simulated machines: a cluster as planned, and a line for each difference. */

jest.setTimeout(600_000);

let good: HomelabSnapshot;
let lab: Homelab;

beforeAll(async () => {
  const own = { labels: { tier: "web" }, taints: ["only=web:NoSchedule"] };
  good = await homelabAtRest((made) => made.edit(({ pools }) => Object.assign(pools.worker, own)));
});
beforeEach(async () => {
  lab = await Homelab.start(good);
});
afterEach(() => lab?.dispose());
afterAll(() => {
  if (good) fs.rmSync(good.folder, { recursive: true });
});

interface Shown {
  readonly code: number;
  readonly verdict: string;
  /** Every difference and everything that could not be checked, with the command. */
  readonly lines: readonly string[];
}

async function status(...args: string[]): Promise<Shown> {
  const { code, stdout, stderr } = await lab.command("status", "--stack", "homelab", "--json", ...args);
  expect(stderr).toBe("");
  const { verdict, findings } = JSON.parse(stdout);
  const lines = findings
    .filter(({ level }: { level: string }) => level !== "ok")
    .map(({ level, check, seen, remedy }: Record<string, string>) => `${level} ${check}: ${seen} → ${remedy}`);
  return { code, verdict, lines };
}

/** A Node object in the cluster. */
function node(name: string): SimulatedNode {
  const [cluster] = [...lab.host.clusters.all.values()];
  return cluster!.nodes.get(name)!;
}
const caHash = (): string => [...lab.host.clusters.all.keys()][0]!;

it("is all green if everything matches the plan, in the text and on the page too, and changes nothing", async () => {
  const state = (await lab.pulumi("stack", "export")).stdout;
  lab.journal.clear();
  lab.exchanges.length = 0;
  expect(await status()).toEqual({ code: 0, verdict: "as planned", lines: [] });
  const report = lab.scratch("status.html");
  const { code, stdout } = await lab.command("status", "--stack", "homelab", "--report", report);
  expect([code, stdout]).toEqual([0, expect.stringMatching(/^homelab, K3s v1\.36\.3\+k3s1: as planned\n/)]);
  expect(stdout).not.toMatch(/^[!✗–] /m);
  expect(fs.readFileSync(report, "utf8")).toMatch(/<svg[^]*k3s-worker-02[^]*<\/svg>/);
  expect(lab.asked.filter(({ method }) => method !== "GET")).toEqual([]);
  expect([...new Set(lab.journal.whats("script"))].sort()).toEqual(
    ["addons", "guests", "status"].map((task) => `homelab-${task} look`),
  );
  expect(lab.journal.whats("machine")).toEqual([]);
  expect((await lab.pulumi("stack", "export")).stdout).toBe(state);
});

it("names differences in Kubernetes", async () => {
  node("k3s-worker-01").unschedulable = true;
  delete node("k3s-worker-01").labels["tier"];
  node("k3s-worker-01").taints = [];
  node("k3s-worker-01").version = "v1.36.1+k3s1";
  [...lab.host.clusters.all.values()][0]!.nodes.set("laptop", structuredClone(node("k3s-worker-01")));
  node("laptop").unschedulable = false;
  lab.host.clusters.deleteNode(caHash(), "k3s-worker-02");
  expect(await status()).toEqual({
    code: 1,
    verdict: "differs",
    lines: [
      "fail nodes: k3s-worker-02 is not in Kubernetes, though guest 103 runs → pulumi up, which restarts its K3s, and that registers it again",
      "warn nodes: k3s-worker-01 is cordoned by somebody: it takes no new pods → kubectl uncordon k3s-worker-01",
      expect.stringContaining("fail nodes: laptop is a Node that is not in the plan → kubectl delete node laptop"),
      expect.stringContaining("fail versions: k3s-worker-01 runs v1.36.1+k3s1, not v1.36.3+k3s1 → pct exec 102"),
      "fail labels: k3s-worker-01 lacks the label tier=web → kubectl label node k3s-worker-01 --overwrite tier=web",
      "fail labels: k3s-worker-01 lacks the taint only=web:NoSchedule → kubectl taint node k3s-worker-01 --overwrite only=web:NoSchedule",
    ],
  });
});

it("names differences of the add-ons, and what the API did not answer", async () => {
  const [cluster] = [...lab.host.clusters.all.values()];
  installLonghorn(cluster!);
  const evicted = addLonghornNode(cluster!, "k3s-worker-01", 100);
  Object.assign(evicted.spec, { allowScheduling: false, evictionRequested: true });
  addLonghornNode(cluster!, "k3s-worker-02", 100);
  addLonghornVolume(cluster!, "pvc-1", 1, ["k3s-worker-02"]).status.robustness = "degraded";
  cluster!.objects.get("crd")!.push({ metadata: { name: "kustomizations.kustomize.toolkit.fluxcd.io" } });
  expect(await status()).toEqual({
    code: 1,
    verdict: "differs",
    lines: [
      expect.stringMatching(
        /^warn longhorn: k3s-worker-01 is being emptied by Longhorn, .* → kubectl -n longhorn-system patch /,
      ),
      expect.stringMatching(/^warn longhorn: 1 of 1 volumes are degraded, .*: pvc-1 → kubectl -n longhorn-system get /),
      expect.stringMatching(/^skip add-ons: not checked: the API did not say .*: flux → kubectl get crds/),
    ],
  });
  const { code, stdout } = await lab.command("status", "--stack", "homelab", "--json");
  expect([code, JSON.parse(stdout).addons]).toEqual([
    1,
    { longhorn: "there", flux: "unknown", prometheus: "absent", ingress: "absent" },
  ]);
});

it("names differences on Proxmox VE, and a certificate near its end", async () => {
  await lab.machines.stop(102);
  const elsewhere = path.join(path.dirname(lab.host.confFile(103)), "../nodes/pve2/lxc");
  fs.mkdirSync(elsewhere, { recursive: true });
  fs.renameSync(lab.host.confFile(103), path.join(elsewhere, "103.conf"));
  lab.machines.disk(100).setCertificate("client-admin", selfSigned({ name: "x", days: 5 }).cert);
  expect(await status()).toEqual({
    code: 1,
    verdict: "differs",
    lines: [
      "fail guests: k3s-worker-01 does not run: guest 102 is stopped → pct start 102 on pve",
      "fail guests: k3s-worker-02 is on the Proxmox VE node pve2, not on pve → pct migrate 103 pve --restart on pve2",
      expect.stringMatching(
        /^warn certificates: k3s-master has a certificate for the cluster's admin that ends on \S+ → pulumi up, /,
      ),
    ],
  });
});

it("names a change that up still has to make, and a server that does not answer", async () => {
  lab.edit(({ pools }) => (pools.worker.memory = "9GB"));
  lab.machines.disk(100).endK3s();
  expect(await status()).toEqual({
    code: 1,
    verdict: "differs",
    lines: [
      "fail state: k3s-worker-01 differs from the plan in memory → pulumi up",
      "fail state: k3s-worker-02 differs from the plan in memory → pulumi up",
      expect.stringContaining(
        "fail servers: k3s-master does not answer: its K3s API is down → pulumi up, which starts it",
      ),
      ...["nodes", "versions", "labels", "add-ons"].map(
        (check) => `skip ${check}: not checked: no server answers → undefined`,
      ),
    ],
  });
});

it("names what it could not check, and never reports that as good", async () => {
  lab.env["PROXMOX_VE_API_TOKEN"] = lab.env["PROXMOX_VE_API_TOKEN"]!.replace(
    /=.*/,
    `=${"0".repeat(8)}-0000-0000-0000-${"0".repeat(12)}`,
  );
  const shown = await status();
  expect([shown.code, shown.verdict]).toEqual([2, "unknown"]);
  expect(shown.lines).toEqual(
    ["guests", "storages"].map((check) =>
      expect.stringMatching(
        new RegExp(`^skip ${check}: not checked: the API of Proxmox VE refuses: 401 .* → npx proxmox-k3s doctor`),
      ),
    ),
  );
  lab.edit((cluster) => (cluster.pools.worker.count = "two"));
  const { code, stdout, stderr } = await lab.command("status", "--stack", "homelab");
  expect([code, stdout]).toEqual([2, ""]);
  expect(stderr).toContain("error: cluster.pools.worker.count: must be a whole number");
});

it("kubeconfig prints the server's current one, with the cluster's name and endpoint", async () => {
  const { code, stdout } = await lab.command("kubeconfig", "--stack", "homelab");
  expect(code).toBe(0);
  const output = await lab.pulumi("stack", "output", "kubeconfig", "--show-secrets");
  expect(stdout.trim()).toBe(output.stdout.trim());
  expect(stdout).toContain("https://192.168.2.20:6443");
  lab.machines.disk(100).endK3s();
  const refused = await lab.command("kubeconfig", "--stack", "homelab");
  expect([refused.code, refused.stdout]).toEqual([1, ""]);
  expect(refused.stderr).toContain("no server of the cluster answered within 30 s");
});
