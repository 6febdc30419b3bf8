import { FIELD_MANAGER } from "../../../addons/components/defaults";
import { nodeKustomization } from "../../../addons/plan/render/flux";
import { compare } from "../../../cli/status/compare";
import { renderPage } from "../../../cli/status/page";
import type { Look, Sight } from "../../../cli/status/sight";
import { renderStatus, renderStatusJson } from "../../../cli/status/table";
import { ADDONS_OWNER, nodeKustomizationName, nodeOfKustomization } from "../../../plan/addonNames";
import type { AddonsSight, FluxObjectSight, IngressSight, PrometheusSight } from "../../../plan/addonsSight";
import {
  cluster,
  clusterOf,
  conditions,
  GOOD,
  PLAN,
  said,
  there,
  V1,
  V2,
  withAddons,
} from "../../support/addonsStatus";
import { NO_ADDONS } from "../../support/statusSight";

/* What a person and a program see of GitOps, monitoring and the ingress. */

test("for a cluster with K3s alone the text has no line, and programs see that they are absent", () => {
  const status = compare(PLAN, withAddons({}));
  expect(said(withAddons({}))).toEqual([]);
  expect(status.verdict).toBe("as planned");
  expect(status.addons).toEqual({ longhorn: "absent", flux: "absent", prometheus: "absent", ingress: "absent" });
});

describe("unknown is never shown as absent", () => {
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

describe("Flux", () => {
  const object = (name: string, change: Partial<FluxObjectSight> = {}): FluxObjectSight => ({
    ...{ kind: "Kustomization", namespace: "flux-system", name, isOfAddons: true, isSuspended: false, isCurrent: true },
    conditions: conditions(),
    ...change,
  });
  const NODES = PLAN.nodes.map(({ name }) => object(nodeKustomizationName(name)));
  const flux = (...objects: FluxObjectSight[]): Sight => withAddons({ flux: there(objects) });
  const source = object("cluster", { kind: "GitRepository" });

  test("that matches the plan is one line, also without folders of nodes", () => {
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
      "a reason of an invalid form is not shown",
      flux(object("apps", { conditions: conditions("False") })),
      "fail flux: Kustomization flux-system/apps is not Ready → kubectl -n flux-system describe kustomization apps says why",
    ],
    [
      "one that Flux has not processed yet",
      flux(object("apps", { isCurrent: false })),
      "warn flux: Kustomization flux-system/apps has no result yet → wait for Flux; if that does not help, kubectl -n flux-system describe kustomization apps says why, and kubectl -n flux-system get pods whether its controllers run",
    ],
    [
      "one that Flux is processing",
      flux(object("apps", { conditions: conditions("Unknown", "Progressing") })),
      expect.stringContaining("warn flux: Kustomization flux-system/apps has no result yet (Progressing) →") as string,
    ],
    [
      "one that somebody suspended",
      flux(object("apps", { isOfAddons: false, isSuspended: true })),
      `warn flux: Kustomization flux-system/apps is suspended: Flux does not change it → kubectl -n flux-system patch kustomization apps --type=merge -p '{"spec":{"suspend":false}}', unless it should stay suspended`,
    ],
    [
      "the folder of a node that the config suspends",
      flux(...NODES.slice(1), { ...NODES[0]!, isSuspended: true }),
      `warn flux: Kustomization flux-system/node-k3s-master is suspended: Flux does not change it → remove k3s-master from flux.nodes.suspended in the add-ons' config, then pulumi up in the folder addons/; if somebody did it by hand: kubectl -n flux-system patch kustomization node-k3s-master --type=merge -p '{"spec":{"suspend":false}}'`,
    ],
    [
      "a node without its folder",
      flux(...NODES.slice(0, 2)),
      "fail flux: vm-2 has no Kustomization node-vm-2 → pulumi up in the folder addons/",
    ],
    [
      "the folder of a node that is gone",
      flux(...NODES, object("node-vm-9")),
      "warn flux: vm-9 is no longer a node, but Flux still applies node-vm-9 → pulumi up in the folder addons/",
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

  test("a HelmRepository that is only an address has no state, and a person's own Kustomization belongs to no node", () => {
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

  test("names and label are those of the add-ons' program", () => {
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
    ["matches its spec", prometheus(), ["ok prometheus: monitoring/main runs and reaches all 6 targets of 2 jobs"]],
    ["should have no pod", prometheus({ wanted: 0, available: 0 }), []],
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
      "its operator has not started",
      prometheus({ available: undefined }),
      [
        "fail prometheus: monitoring/main was not started by its operator → kubectl get pods -A -l 'app.kubernetes.io/name in (prometheus-operator,kube-prometheus-stack-prometheus-operator)' says whether the operator runs",
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
      "does not list its targets",
      prometheus({ jobs: undefined }),
      [
        "skip prometheus: not checked: monitoring/main did not report its targets → kubectl -n monitoring logs prometheus-main-0 -c prometheus; a NetworkPolicy there must let the servers reach port 9090",
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
      "that no other node could check",
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
