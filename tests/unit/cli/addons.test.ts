import { FIELD_MANAGER } from "../../../addons/components/defaults";
import { nodeKustomization } from "../../../addons/plan/render/flux";
import { compare } from "../../../cli/status/compare";
import { renderPage } from "../../../cli/status/page";
import type { Look, Sight } from "../../../cli/status/sight";
import { renderStatus, renderStatusJson } from "../../../cli/status/table";
import { ADDONS_OWNER, nodeKustomizationName, nodeOfKustomization } from "../../../plan/addonNames";
import type {
  AddonsSight,
  Condition,
  FluxObjectSight,
  IngressSight,
  LonghornDiskSight,
  LonghornNodeSight,
  LonghornSight,
  PrometheusSight,
} from "../../../plan/addonsSight";
import { loadPlan } from "../../../plan/load";
import { goodSight, NO_ADDONS, seen } from "../../support/statusSight";
import { changed, homelabConfig } from "../config/support";

/* What a person is told of storage, GitOps, monitoring and the ingress. */

const V1 = "vm-1";
const V2 = "vm-2";
const DISKS = [{ serial: "longhorn", size: "50GB", longhorn: true }];
const VMS = {
  ...{ kind: "vm", role: "agent", count: 2, hostname: "vm-{0}", template: 9000, cores: 2, memory: "4GB", disk: "20GB" },
  ...{ vmIds: { from: 120 }, addresses: { from: "192.168.2.40" }, disks: DISKS, disksVmIds: { from: 320 } },
};
const PLAN = loadPlan(changed(homelabConfig(), { pools: { worker: null, vms: VMS } }));
const GOOD = goodSight(PLAN);

const withAddons = (addons: Partial<AddonsSight>, change: Partial<Sight> = {}): Sight => ({
  ...GOOD,
  addons: { seen: { ...NO_ADDONS, ...addons } },
  ...change,
});
const there = <T>(what: T) => ({ is: "there", seen: what }) as const;
/** Level, check and words of all that is said of add-ons, with the command. */
const said = (sight: Sight): string[] =>
  compare(PLAN, sight)
    .findings.filter(({ check }) => ["longhorn", "flux", "prometheus", "ingress", "add-ons"].includes(check))
    .map(({ level, check, seen: words, remedy = "" }) => `${level} ${check}: ${words}${remedy && ` → ${remedy}`}`);
/** The good sight with something else of the cluster itself. */
const cluster = (change: Partial<ReturnType<typeof clusterOf>>): Pick<Sight, "cluster"> => ({
  cluster: { seen: { ...clusterOf(), ...change } },
});
const clusterOf = () => seen(GOOD.cluster);

const conditions = (ready: Condition["status"] = "True", reason?: string): Condition[] => [
  { type: "Ready", status: ready, reason },
];
const unschedulable = (reason: string): Condition[] => [
  ...conditions(),
  { type: "Schedulable", status: "False", reason },
];
const WELL: Condition[] = [...conditions(), { type: "Schedulable", status: "True", reason: undefined }];

test("of a cluster with K3s alone nothing is said, and programs see that they are absent", () => {
  const status = compare(PLAN, withAddons({}));
  expect(said(withAddons({}))).toEqual([]);
  expect(status.verdict).toBe("as planned");
  expect(status.addons).toEqual({ longhorn: "absent", flux: "absent", prometheus: "absent", ingress: "absent" });
});

describe("what is not known is never absent", () => {
  test.each<[string, Look<AddonsSight | undefined>, string]>([
    ["no server answers", { seen: undefined }, "skip add-ons: not checked: no server answers"],
    ["the host cannot be asked", { why: "no way", remedy: "doctor" }, "skip add-ons: not checked: no way → doctor"],
    [
      "the API does not answer for some",
      { seen: { ...NO_ADDONS, flux: { is: "unknown" }, ingress: { is: "unknown" } } },
      "skip add-ons: not checked: the API did not say whether it has these, or how they are: flux, ingress → kubectl get crds,services -A says what the API answers",
    ],
  ])("%s", (_, addons, line) => {
    const status = compare(PLAN, { ...GOOD, addons });
    expect(said({ ...GOOD, addons })).toEqual([line]);
    expect([status.verdict, status.addons.flux]).toEqual(["unknown", "unknown"]);
  });
});

describe("Longhorn", () => {
  const disk = (change: Partial<LonghornDiskSight> = {}): LonghornDiskSight => ({
    ...{ name: "longhorn", path: "/mnt/longhorn/longhorn", allowScheduling: true, evictionRequested: false },
    conditions: WELL,
    ...change,
  });
  const node = (name: string, change: Partial<LonghornNodeSight> = {}): LonghornNodeSight => ({
    ...{ namespace: "longhorn-system", name, allowScheduling: true, evictionRequested: false, conditions: WELL },
    disks: [disk()],
    ...change,
  });
  const longhorn = (change: Partial<LonghornSight> = {}): Pick<AddonsSight, "longhorn"> => ({
    longhorn: there({
      nodes: [node(V1), node(V2)],
      volumes: { all: 3, degraded: 0, faulted: 0 },
      unwell: [],
      ...change,
    }),
  });
  const second = (change: Partial<LonghornNodeSight>): Sight =>
    withAddons(longhorn({ nodes: [node(V1), node(V2, change)] }));
  const DESCRIBE = "kubectl -n longhorn-system describe nodes.longhorn.io vm-2 says why";
  const PATCH = "kubectl -n longhorn-system patch nodes.longhorn.io vm-2 --type=merge -p";

  test("that is as planned is one line", () => {
    expect(said(withAddons(longhorn()))).toEqual([
      "ok longhorn: 2 nodes have the disks of the plan, and no volume of 3 lacks a copy",
    ]);
  });

  test.each<[string, Sight, string]>([
    [
      "a node that Longhorn does not know",
      withAddons(longhorn({ nodes: [node(V1)] })),
      "fail longhorn: vm-2 has disks for Longhorn, which does not know the node → kubectl -n longhorn-system get pods -l app=longhorn-manager -o wide says whether Longhorn runs there",
    ],
    [
      "a node that is not Ready in Longhorn",
      second({ conditions: conditions("False", "ManagerPodDown") }),
      `fail longhorn: vm-2 is not Ready in Longhorn (ManagerPodDown) → ${DESCRIBE}`,
    ],
    [
      "a node that gets no replicas",
      second({ conditions: unschedulable("KubernetesNodePressure") }),
      `warn longhorn: vm-2 takes no new replicas (KubernetesNodePressure) → ${DESCRIBE}`,
    ],
    [
      "a node whose scheduling somebody stopped",
      second({ allowScheduling: false }),
      `warn longhorn: vm-2 takes no new replicas: somebody has stopped that in Longhorn → ${PATCH} '{"spec":{"allowScheduling":true}}'`,
    ],
    [
      "an eviction that is left over",
      second({ allowScheduling: false, evictionRequested: true }),
      `warn longhorn: vm-2 is being emptied by Longhorn, and no removal of this program asks for that → ${PATCH} '{"spec":{"allowScheduling":true,"evictionRequested":false}}', if nobody wants it`,
    ],
    [
      "a disk that Longhorn does not know",
      second({ disks: [disk({ name: "other", path: "/mnt/other" })] }),
      `fail longhorn: vm-2 has the disk longhorn, which Longhorn does not know → ${PATCH} '{"spec":{"disks":{"longhorn":{"path":"/mnt/longhorn/longhorn","diskType":"filesystem","allowScheduling":true,"evictionRequested":false}}}}'`,
    ],
    [
      "a disk that Longhorn cannot use",
      second({ disks: [disk({ conditions: conditions("False", "DiskFilesystemChanged") })] }),
      `fail longhorn: vm-2 has the disk longhorn, which Longhorn cannot use (DiskFilesystemChanged) → ${DESCRIBE}`,
    ],
    [
      "a disk that is full",
      second({ disks: [disk({ conditions: unschedulable("DiskPressure") })] }),
      `warn longhorn: vm-2 has the disk longhorn, which takes no new replicas (DiskPressure) → ${DESCRIBE}`,
    ],
    [
      "a disk whose scheduling somebody stopped",
      second({ disks: [disk({ name: "d1", allowScheduling: false })] }),
      `warn longhorn: vm-2 has the disk longhorn, which takes no new replicas: somebody has stopped that in Longhorn → ${PATCH} '{"spec":{"disks":{"d1":{"allowScheduling":true}}}}'`,
    ],
    [
      "the eviction of a disk that is left over",
      second({ disks: [disk(), disk({ name: "old", path: "/mnt/old", evictionRequested: true })] }),
      `warn longhorn: vm-2 has the disk old, which is being emptied by Longhorn, and no removal of this program asks for that → ${PATCH} '{"spec":{"disks":{"old":{"allowScheduling":true,"evictionRequested":false}}}}', if nobody wants it`,
    ],
    [
      "a node that Kubernetes does not have any more",
      withAddons(longhorn({ nodes: [node(V1), node(V2), node("vm-9")] })),
      "warn longhorn: vm-9 is still listed by Longhorn, and is no node of the cluster → kubectl -n longhorn-system delete nodes.longhorn.io vm-9, if it does not come back",
    ],
    [
      "volumes that lack copies",
      withAddons(
        longhorn({
          volumes: { all: 20, degraded: 8, faulted: 0 },
          unwell: ["a", "b", "c", "d", "e", "f"].map((name) => ({
            ...{ namespace: "longhorn-system", name, robustness: "degraded" as const },
          })),
        }),
      ),
      "warn longhorn: 8 of 20 volumes are degraded, with fewer copies than they ask for: a, b, c, d, e and 3 more → kubectl -n longhorn-system get volumes.longhorn.io,replicas.longhorn.io says which copies are missing; Longhorn makes them as soon as a node has room",
    ],
    [
      "volumes without a copy",
      withAddons(
        longhorn({
          volumes: { all: 2, degraded: 0, faulted: 1 },
          unwell: [{ namespace: "longhorn-system", name: "a", robustness: "faulted" }],
        }),
      ),
      "fail longhorn: 1 of 2 volumes are faulted, with no usable copy: a → kubectl -n longhorn-system get volumes.longhorn.io,replicas.longhorn.io says which copies failed; start the nodes that have them, or restore a backup",
    ],
  ])("%s has one line, with what ends it", (_, sight, line) => {
    expect(said(sight)).toEqual([line]);
    expect(compare(PLAN, sight).verdict).toBe("differs");
  });

  const evicted = { allowScheduling: false, evictionRequested: true, conditions: unschedulable("Evicted") };
  test.each<[string, Partial<LonghornNodeSight>, Partial<Sight>]>([
    ["a removal that goes on", evicted, cluster({ leaving: [V2] })],
    [
      "a cordon",
      { conditions: unschedulable("KubernetesNodeCordoned") },
      cluster({ nodes: clusterOf().nodes!.map((each) => ({ ...each, isCordoned: each.name === V2 })) }),
    ],
    [
      "a node that is NotReady",
      { conditions: conditions("False", "KubernetesNodeNotReady") },
      cluster({ nodes: clusterOf().nodes!.map((each) => ({ ...each, isReady: each.name !== V2 })) }),
    ],
    [
      "a guest that is stopped",
      { conditions: conditions("False", "KubernetesNodeNotReady") },
      { listed: { seen: seen(GOOD.listed).map((each) => ({ ...each, isRunning: each.name !== V2 })) } },
    ],
  ])("what has its own line is not said again: %s", (_, change, sight) => {
    const differs = said(withAddons(longhorn({ nodes: [node(V1), node(V2, change)] }), sight));
    expect(differs.filter((line) => !line.startsWith("ok "))).toEqual([]);
  });
});

describe("Flux", () => {
  const object = (name: string, change: Partial<FluxObjectSight> = {}): FluxObjectSight => ({
    ...{ kind: "Kustomization", namespace: "flux-system", name, isOfAddons: true, isSuspended: false, isCurrent: true },
    conditions: conditions(),
    ...change,
  });
  const NODES = PLAN.nodes.map(({ name }) => object(nodeKustomizationName(name)));
  const flux = (...objects: FluxObjectSight[]): Sight => withAddons({ flux: there(objects) });
  const source = object("cluster", { kind: "GitRepository" });

  test("that is as planned is one line; without folders of nodes too", () => {
    expect(said(flux(source, object("cluster"), ...NODES))).toEqual([
      "ok flux: Kustomizations: 4, sources and others: 1, all Ready",
    ]);
    expect(said(flux(source, object("cluster")))).toEqual([
      "ok flux: Kustomizations: 1, sources and others: 1, all Ready",
    ]);
  });

  test.each<[string, Sight, string]>([
    [
      "a source that is not there",
      flux({ ...source, conditions: conditions("False", "GitOperationFailed") }),
      "fail flux: GitRepository flux-system/cluster is not Ready (GitOperationFailed) → kubectl -n flux-system describe gitrepository cluster says why",
    ],
    [
      "a reason of another form is not shown",
      flux(object("apps", { conditions: conditions("False") })),
      "fail flux: Kustomization flux-system/apps is not Ready → kubectl -n flux-system describe kustomization apps says why",
    ],
    [
      "one that Flux has not come to",
      flux(object("apps", { isCurrent: false })),
      "warn flux: Kustomization flux-system/apps has no result yet → wait for Flux; if it stays so, kubectl -n flux-system describe kustomization apps says why, and kubectl -n flux-system get pods whether its controllers run",
    ],
    [
      "one that it works on",
      flux(object("apps", { conditions: conditions("Unknown", "Progressing") })),
      expect.stringContaining("warn flux: Kustomization flux-system/apps has no result yet (Progressing) →") as string,
    ],
    [
      "one that somebody suspended",
      flux(object("apps", { isOfAddons: false, isSuspended: true })),
      `warn flux: Kustomization flux-system/apps is suspended: Flux leaves it as it is → kubectl -n flux-system patch kustomization apps --type=merge -p '{"spec":{"suspend":false}}', if nobody wants it so`,
    ],
    [
      "the folder of a node that the config suspends",
      flux(...NODES.slice(1), { ...NODES[0]!, isSuspended: true }),
      `warn flux: Kustomization flux-system/node-k3s-master is suspended: Flux leaves it as it is → take k3s-master out of flux.nodes.suspended in the add-ons' config, then pulumi up in the folder addons/; if somebody did it by hand: kubectl -n flux-system patch kustomization node-k3s-master --type=merge -p '{"spec":{"suspend":false}}'`,
    ],
    [
      "a node without its folder",
      flux(...NODES.slice(0, 2)),
      "fail flux: vm-2 has no Kustomization node-vm-2 → pulumi up in the folder addons/",
    ],
    [
      "the folder of a node that is gone",
      flux(...NODES, object("node-vm-9")),
      "warn flux: vm-9 is no node any more, and Flux still applies node-vm-9 → pulumi up in the folder addons/",
    ],
  ])("%s", (_, sight, line) => expect(said(sight)).toEqual([line]));

  test("many are counted, not listed", () => {
    const failed = Array.from({ length: 12 }, (_, at) => object(`app-${at}`, { conditions: conditions("False") }));
    const lines = said(flux(...failed));
    expect([lines.length, lines.at(-1)]).toEqual([
      6,
      "fail flux: 7 more objects are not Ready → kubectl get gitrepositories,kustomizations -A lists them",
    ]);
  });

  test("an address of a Helm repository has no state, and a Kustomization of somebody's own is of no node", () => {
    const helm = object("charts", { kind: "HelmRepository", conditions: [], isCurrent: false, isOfAddons: false });
    expect(said(flux(helm, object("node-exporter", { isOfAddons: false })))).toEqual([
      "ok flux: Kustomizations: 1, sources and others: 1, all Ready",
    ]);
  });

  test("a node's line marks the node", () => {
    const status = compare(PLAN, flux(...NODES.slice(1), { ...NODES[0]!, conditions: conditions("False") }));
    expect(status.nodes.map(({ name, level }) => [name, level])).toEqual([
      ["k3s-master", "fail"],
      [V1, "ok"],
      [V2, "ok"],
    ]);
  });

  test("names and label are those that the add-ons' program gives", () => {
    const settings = { interval: 600, sops: false, nodes: { path: "./node", suspended: [] } };
    const made = nodeKustomization(settings as never, "flux-system", { name: V1 } as never);
    expect([made.metadata.name, ADDONS_OWNER]).toEqual([nodeKustomizationName(V1), FIELD_MANAGER]);
    expect([nodeOfKustomization(made.metadata.name), nodeOfKustomization("cluster")]).toEqual([V1, undefined]);
  });
});

describe("Prometheus", () => {
  const one: PrometheusSight = {
    ...{ namespace: "monitoring", name: "main", wanted: 1, available: 1, conditions: [] },
    jobs: [
      { job: "k3s-server", up: 3, down: 0, silent: [] },
      { job: "node-exporter", up: 3, down: 0, silent: [] },
    ],
  };
  const prometheus = (change: Partial<PrometheusSight> = {}): Sight =>
    withAddons({ prometheus: there([{ ...one, ...change }]) });
  const job = (up: number, down: number, silent: string[] = []) => ({
    jobs: [{ job: "node-exporter", up, down, silent }],
  });
  const TARGETS =
    "kubectl -n monitoring port-forward prometheus-main-0 9090, then http://localhost:9090/targets says why";
  const WHY = "kubectl -n monitoring describe prometheus main says why";

  test.each<[string, Sight, string[]]>([
    ["is as it should be", prometheus(), ["ok prometheus: monitoring/main runs and reaches all 6 targets of 2 jobs"]],
    ["is to have no pod", prometheus({ wanted: 0, available: 0 }), []],
    [
      "has no pod",
      prometheus({ available: 0, conditions: [{ type: "Available", status: "False", reason: "NoPodReady" }] }),
      [`fail prometheus: monitoring/main has 0 of 1 pods available (NoPodReady) → ${WHY}`],
    ],
    [
      "has too few pods",
      prometheus({ wanted: 2 }),
      [`warn prometheus: monitoring/main has 1 of 2 pods available → ${WHY}`],
    ],
    [
      "was not seen by its operator",
      prometheus({ available: undefined }),
      [
        "fail prometheus: monitoring/main was not started by its operator → kubectl get pods -A -l app.kubernetes.io/name=prometheus-operator says whether the operator runs",
      ],
    ],
    [
      "reaches some targets of a job",
      prometheus(job(2, 1, ["192.168.2.41:9100"])),
      [
        `warn prometheus: monitoring/main reaches 2 of 3 targets of node-exporter; down: 192.168.2.41:9100 → ${TARGETS}`,
      ],
    ],
    [
      "reaches no target of a job",
      prometheus(job(0, 3)),
      [`fail prometheus: monitoring/main reaches 0 of 3 targets of node-exporter → ${TARGETS}`],
    ],
    [
      "has no targets",
      prometheus({ jobs: [] }),
      [
        "fail prometheus: monitoring/main has no targets → kubectl get servicemonitors,podmonitors -A lists what it could watch",
      ],
    ],
    [
      "does not tell its targets",
      prometheus({ jobs: undefined }),
      [
        "skip prometheus: not checked: monitoring/main did not tell its targets → kubectl -n monitoring logs prometheus-main-0 -c prometheus; a NetworkPolicy there must let the servers reach port 9090",
      ],
    ],
  ])("that %s", (_, sight, lines) => expect(said(sight)).toEqual(lines));
});

describe("the ingress", () => {
  const PORTS = [30080, 30443];
  const all = PLAN.nodes.flatMap(({ name }) => PORTS.map((port) => ({ node: name, port, answers: true })));
  const ingress = (ports: IngressSight["ports"], change: Partial<Sight> = {}): Sight =>
    withAddons({ ingress: there({ namespace: "kube-system", name: "traefik", nodePorts: PORTS, ports }) }, change);
  const silent = (name: string, ...of: number[]) =>
    all.map((each) => ({ ...each, answers: each.node !== name || !of.includes(each.port) }));
  const PODS = "kubectl -n kube-system get pods -l app.kubernetes.io/name=traefik -o wide says where Traefik runs";

  test.each<[string, Sight, string[]]>([
    ["that answers everywhere", ingress(all), ["ok ingress: NodePorts 30080 and 30443 answer on all nodes"]],
    [
      "that a node does not have",
      ingress(silent(V2, 30080, 30443)),
      [`fail ingress: vm-2 does not answer on NodePort 30080 and 30443 → ${PODS}`],
    ],
    [
      "with one port that does not answer",
      ingress(silent(V2, 30443)),
      [`fail ingress: vm-2 does not answer on NodePort 30443 → ${PODS}`],
    ],
    [
      "that nobody could ask a node for",
      ingress(all.filter(({ node }) => node !== V2)),
      [
        "skip ingress: not checked: no node could ask for the NodePorts of vm-2 → kubectl get nodes says which nodes are Ready; the guests need bash",
      ],
    ],
  ])("%s", (_, sight, lines) => expect(said(sight)).toEqual(lines));

  test("of a node that is down has a line already", () => {
    const nodes = clusterOf().nodes!.map((each) => ({ ...each, isReady: each.name !== V2 }));
    expect(said(ingress(silent(V2, 30080), cluster({ nodes })))).toEqual([
      "ok ingress: NodePorts 30080 and 30443 answer on all nodes",
    ]);
  });
});

test("text, page and programs show what failed, with its command", () => {
  const status = compare(
    PLAN,
    withAddons({
      prometheus: there([{ namespace: "m", name: "p", wanted: 1, available: 0, conditions: [], jobs: [] }]),
    }),
  );
  const words = "m/p has 0 of 1 pods available";
  expect(renderStatus(status)).toContain(
    `✗ prometheus    ${words}\n                → kubectl -n m describe prometheus p`,
  );
  expect(renderPage(status)).toContain(`${words}<code>kubectl -n m describe prometheus p says why</code>`);
  const json = JSON.parse(renderStatusJson(status));
  expect(Object.keys(json)).toEqual(["cluster", "version", "at", "verdict", "nodes", "addons", "findings"]);
  expect(json.addons).toEqual({ longhorn: "absent", flux: "absent", prometheus: "there", ingress: "absent" });
  const [last] = json.findings.slice(-1);
  expect(last).toEqual({ level: "fail", check: "prometheus", seen: words, remedy: expect.any(String) as string });
});
