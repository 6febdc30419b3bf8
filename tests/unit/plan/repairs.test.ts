import type { ClusterSight, NodeSight } from "../../../plan/clusterSight";
import { loadPlan } from "../../../plan/load";
import type { ClusterPlan } from "../../../plan/model";
import { type Repairs, repairs, withRepairs } from "../../../plan/repairs";
import type { NodeChange, Transitions } from "../../../plan/transitions";
import { AT, goodSight, inDays, seen } from "../../support/statusSight";
import { changed, homelabConfig } from "../config/support";

/* What an `up` also repairs: nothing in a healthy cluster, and never what a start of K3s cannot fix. */

const planOf = (change: unknown = {}): ClusterPlan => loadPlan(changed(homelabConfig(), change));
const ONE = planOf();
const THREE = planOf({
  k3s: { datastore: "etcd" },
  pools: { master: { count: 3, hostname: "k3s-{0}", vmIds: { from: 200 }, addresses: { from: "192.168.2.100" } } },
});
const KUBECONFIG_ENDS = inDays(340);
const still: Transitions = { changes: [], refusals: [] };

interface Asked {
  readonly plan?: ClusterPlan;
  readonly change?: readonly NodeChange[];
  readonly kubeconfigEnds?: Date;
}

/** The repairs of the healthy cluster with one change. */
function found(
  other: (good: ClusterSight) => Partial<ClusterSight>,
  { plan = ONE, change = [], kubeconfigEnds = KUBECONFIG_ENDS }: Asked = {},
): Repairs {
  const good = seen(goodSight(plan).cluster);
  return repairs(plan, { ...still, changes: change }, { cluster: { ...good, ...other(good) }, at: AT, kubeconfigEnds });
}
const words = ({ nodes }: Repairs): string[] => nodes.map((node) => node.words);
const NONE = { nodes: [], kubeconfig: false, firewall: [], staying: [], notices: [] };

const withoutNode =
  (...names: string[]) =>
  ({ nodes }: ClusterSight): { nodes: readonly NodeSight[] } => ({
    nodes: nodes!.filter(({ name }) => !names.includes(name)),
  });
const stopped =
  (...names: string[]) =>
  ({ k3s }: ClusterSight): Partial<ClusterSight> => ({
    k3s: k3s.map(({ node, runs }) => ({ node, runs: runs && !names.includes(node) })),
  });
/** A server's admin certificate. */
const adminEnds =
  (days: number, server = "k3s-master") =>
  ({ certificates }: ClusterSight): Partial<ClusterSight> => ({
    certificates: certificates.map((each) =>
      each.server === server && each.use === "admin" ? { ...each, ends: inDays(days) } : each,
    ),
  });

test.each([
  ["one server", ONE],
  ["three servers", THREE],
])("a healthy cluster needs nothing: %s", (_, plan) => {
  expect(found(() => ({}), { plan })).toEqual(NONE);
});

describe("a node", () => {
  test("whose Node somebody deleted gets another start of K3s, also an only server", () => {
    expect(words(found(withoutNode("k3s-worker-02", "k3s-master")))).toEqual([
      "k3s-master: its Node is missing; K3s is restarted there, which registers it again",
      "k3s-worker-02: its Node is missing; K3s is restarted there, which registers it again",
    ]);
  });

  test("whose K3s somebody stopped is started, also if no server answers", () => {
    expect(words(found(stopped("k3s-worker-01")))).toEqual(["k3s-worker-01: its K3s does not run; it is started"]);
    const dead = (good: ClusterSight): Partial<ClusterSight> => ({
      ...stopped("k3s-master")(good),
      ...{ nodes: undefined, servers: good.servers.map((each) => ({ ...each, answers: false })) },
    });
    expect(words(found(dead))).toEqual(["k3s-master: its K3s does not run; it is started"]);
  });

  test.each<[string, (good: ClusterSight) => Partial<ClusterSight>]>([
    ["is NotReady while its K3s runs", ({ nodes }) => ({ nodes: nodes!.map((each) => ({ ...each, isReady: false })) })],
    ["has no running guest", (good) => ({ ...withoutNode("k3s-worker-01")(good), k3s: [] })],
    ["is in Kubernetes but not in the plan", ({ nodes }) => ({ nodes: [...nodes!, { ...nodes![0]!, name: "nas" }] })],
    ["has an unknown state, because no server lists the Nodes", () => ({ nodes: undefined })],
  ])("that %s is not changed", (_, other) => expect(found(other)).toEqual(NONE));

  test.each(["join", "rebuild"] as const)("that this run creates gets no repair: %s", (effect) => {
    const change = [{ node: "k3s-worker-01", effect, reasons: [] }];
    expect(found(withoutNode("k3s-worker-01"), { change })).toEqual(NONE);
  });
});

describe("a server with etcd", () => {
  const plan = THREE;

  test("that is stopped is started", () => {
    expect(words(found(stopped("k3s-2"), { plan }))).toEqual(["k3s-2: its K3s does not run; it is started"]);
  });

  test("whose Node is missing may have become a separate cluster: nothing is restarted, and the next step is named", () => {
    const { nodes, notices } = found((good) => ({ ...withoutNode("k3s-2", "k3s-worker-01")(good) }), { plan });
    expect(nodes).toEqual([]);
    expect(notices).toEqual([
      "k3s-2: its Node is missing, so etcd has dropped it, and no node is repaired. If it does not come back by itself: pulumi up --replace '**::k3s-2', which creates it again",
    ]);
  });
});

describe("certificates", () => {
  test("near their end are renewed by a start of that server, and the kubeconfig is read after it", () => {
    const { nodes, kubeconfig } = found(adminEnds(30), { kubeconfigEnds: inDays(30) });
    expect(nodes.map((node) => node.words)).toEqual([
      "k3s-master: a certificate ends on 2026-12-28; K3s is restarted there, which makes a new one",
    ]);
    expect(kubeconfig).toBe(true);
    expect(found(adminEnds(31), { kubeconfigEnds: inDays(31) })).toEqual(NONE);
  });

  test("of another server than the kubeconfig's do not change the kubeconfig", () => {
    const { nodes, kubeconfig } = found(adminEnds(-1, "k3s-3"), { plan: THREE });
    expect([nodes.map(({ node }) => node), kubeconfig]).toEqual([["k3s-3"], false]);
  });

  test.each([
    ["is renewed on the server", 340, inDays(20), true],
    ["is as old as the server's", 340, inDays(340), false],
    ["is valid for longer than the server's", 340, inDays(350), false],
  ])("one in the kubeconfig that %s: read again, or not", (_, days, kubeconfigEnds, expected) => {
    expect(found(adminEnds(days), { kubeconfigEnds }).kubeconfig).toBe(expected);
  });

  test("a kubeconfig that cannot be read is not changed", () => {
    const good = seen(goodSight(ONE).cluster);
    expect(repairs(ONE, still, { cluster: good, at: AT, kubeconfigEnds: undefined })).toEqual(NONE);
  });
});

test("a node that runs without the latest rules of its firewall gets them, if it has one and is not rebuilt", () => {
  const old = (): Partial<ClusterSight> => ({ oldFirewall: ["k3s-worker-01", "k3s-worker-02", "gone"] });
  const plan = planOf({ firewall: { enabled: true, adminNetworks: ["192.168.2.0/24"] } });
  const change: NodeChange[] = [{ node: "k3s-worker-01", effect: "rebuild", reasons: ["VMID"] }];
  expect(found(old, { plan, change })).toEqual({ ...NONE, firewall: ["k3s-worker-02"] });
  expect(found(old)).toEqual(NONE);
});

test("a node that stays after an unfinished removal takes pods again, if it is Ready and not rebuilt", () => {
  const leaving = ["k3s-worker-01", "k3s-worker-02", "gone"];
  const change: NodeChange[] = [{ node: "k3s-worker-01", effect: "rebuild", reasons: ["VMID"] }];
  expect(found(() => ({ leaving }), { change })).toEqual({ ...NONE, staying: ["k3s-worker-02"] });
  const dead = ({ nodes }: ClusterSight): Partial<ClusterSight> => ({
    leaving,
    nodes: nodes!.map((node) => ({ ...node, isReady: node.name !== "k3s-worker-02" })),
  });
  expect(found(dead)).toEqual({ ...NONE, staying: ["k3s-worker-01"] });
});

test("a node that is repaired takes its turn among those that the change restarts", () => {
  const changes: NodeChange[] = [
    { node: "k3s-master", effect: "live", reasons: ["cores"] },
    { node: "k3s-worker-01", effect: "rebuild", reasons: ["VMID"] },
    { node: "k3s-worker-02", effect: "reboot", reasons: ["memory"] },
    { node: "nixos", effect: "systemTrial", reasons: ["keys"] },
  ];
  const nodes = ["k3s-master", "k3s-worker-02", "nixos"].map((node) => ({ node, words: "" }));
  expect(withRepairs({ ...still, changes }, { ...NONE, nodes }).changes).toEqual([
    changes[1],
    changes[2],
    { node: "k3s-master", effect: "k3sRestart", reasons: [] },
    { node: "nixos", effect: "k3sRestart", reasons: [] },
  ]);
  expect(withRepairs({ ...still, changes }, NONE).changes).toEqual(changes);
});
