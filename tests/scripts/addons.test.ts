import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";

import { nodeKustomization } from "../../addons/plan/render/flux";
import type { AddonsSight, AddonSight } from "../../plan/addonsSight";
import { acknowledgement, readAnswer } from "../../remote/answer";
import { parseAddons } from "../../remote/askAddons";
import { addLonghornNode, addLonghornVolume, installLonghorn } from "../support/doubles/longhornController";
import type { SimulatedCluster } from "../support/doubles/simulatedCluster";
import { longhornProblems } from "../support/longhornSchemas";
import { NODES, ScriptedLonghorn } from "../support/scriptedLonghorn";

/* What the host reads from the API's objects about the add-ons, and what the command makes of it; `pct` and `kubectl` are doubles. */

const [SERVER, FIRST, SECOND, THIRD] = NODES;

let world: ScriptedLonghorn;
let cluster: SimulatedCluster;
beforeEach(async () => {
  world = await new ScriptedLonghorn().open();
  cluster = world.cluster;
});
afterEach(() => world.close());

async function look(nodes: readonly string[] = NODES): Promise<AddonsSight | undefined> {
  const { code, outcome, output } = await world.addons(nodes);
  expect([code, output]).toEqual([0, ""]);
  const step = "homelab-addons";
  return parseAddons(readAnswer("addons", step, "look", `${outcome}\n${acknowledgement(step, "look")}\n`));
}
const sight = async (nodes?: readonly string[]): Promise<AddonsSight> => (await look(nodes))!;
/** What the host finds of the add-ons. */
const seen = <T>(addon: AddonSight<T>): T => (addon as { seen: T }).seen;

/** The API knows these kinds and has these objects. */
function known(kinds: Readonly<Record<string, readonly object[]>>): void {
  const crds = Object.keys(kinds).map((name) => ({ metadata: { name } }));
  cluster.objects.set("crd", [...(cluster.objects.get("crd") ?? []), ...crds]);
  for (const [kind, objects] of Object.entries(kinds)) cluster.objects.set(kind, [...objects]);
}

it("a cluster with K3s alone has none, and gets two questions", async () => {
  cluster.objects.set("services", [service("traefik", { type: "LoadBalancer", ports: [31234, 31235] })]);
  const absent = { is: "absent" };
  expect(await sight()).toEqual({ longhorn: absent, flux: absent, prometheus: absent, ingress: absent });
  expect(world.asked.filter((question) => !question.includes("readyz")).map((each) => each.split(" -")[0])).toEqual(
    expect.arrayContaining([expect.stringMatching(/^get crd /), "get services"]) as string[],
  );
  expect(world.asked).toHaveLength(3);
  expect(world.shells).toEqual([]);
});

describe("Longhorn", () => {
  it("lists its nodes and disks, and the volumes that are not healthy", async () => {
    installLonghorn(cluster);
    for (const name of [FIRST, SECOND]) addLonghornNode(cluster, name, 100);
    Object.assign(world.nodeOf(SECOND).spec.disks["longhorn"]!, {
      path: "/mnt/longhorn/longhorn/",
      allowScheduling: false,
    });
    addLonghornVolume(cluster, "pvc-1", 1, [FIRST, SECOND]);
    Object.assign(addLonghornVolume(cluster, "pvc-2", 1, [FIRST]).status, { robustness: "degraded" });
    Object.assign(addLonghornVolume(cluster, "pvc-3", 1, [FIRST]).status, { robustness: "faulted" });
    Object.assign(addLonghornVolume(cluster, "pvc-4", 1, [FIRST]).status, { robustness: "unknown", state: "detached" });
    for (const kind of ["nodes", "volumes"])
      for (const each of cluster.objects.get(`${kind}.longhorn.io`)!)
        expect(longhornProblems(`${kind}.longhorn.io`, each)).toEqual([]);
    const well = ["Ready", "Schedulable"].map((type) => ({ type, status: "True", reason: undefined }));
    const disk = { name: "longhorn", path: "/mnt/longhorn/longhorn", evictionRequested: false, conditions: well };
    const common = { namespace: "longhorn-system", allowScheduling: true, evictionRequested: false, conditions: well };
    expect(seen((await sight()).longhorn)).toEqual({
      nodes: [
        { ...common, name: FIRST, disks: [{ ...disk, allowScheduling: true }] },
        { ...common, name: SECOND, disks: [{ ...disk, allowScheduling: false }] },
      ],
      volumes: { all: 4, degraded: 1, faulted: 1 },
      unwell: [
        { namespace: "longhorn-system", name: "pvc-2", robustness: "degraded" },
        { namespace: "longhorn-system", name: "pvc-3", robustness: "faulted" },
      ],
    });
  });

  it("names only some of many volumes, and counts all", async () => {
    installLonghorn(cluster);
    addLonghornNode(cluster, FIRST, 100);
    for (let at = 0; at < 30; at++)
      Object.assign(addLonghornVolume(cluster, `pvc-${at}`, 1, [FIRST]).status, { robustness: "degraded" });
    const { volumes, unwell } = seen((await sight()).longhorn);
    expect([volumes, unwell.length]).toEqual([{ all: 30, degraded: 30, faulted: 0 }, 10]);
  });
});

const ready = (status: string, reason: string, generation = 1) => ({
  observedGeneration: generation,
  conditions: [{ type: "Ready", status, reason, message: "a\nflux\tKustomization\tx\ty", lastTransitionTime: "" }],
});

describe("Flux", () => {
  const settings = { interval: 600, path: "./cluster", sops: false, nodes: { path: "./node", suspended: [SECOND] } };
  const ofNode = (name: string): object => {
    const node = { name, address: "192.168.2.21", pool: "worker", role: "agent" };
    const object = nodeKustomization(settings as never, "flux-system", node as never);
    const labels = { "app.kubernetes.io/managed-by": "proxmox-k3s-addons" };
    return { ...object, metadata: { ...object.metadata, labels, generation: 2 } };
  };

  it("says of each source and each Kustomization whether it is Ready, and which program made it", async () => {
    const source = { kind: "GitRepository", metadata: { namespace: "flux-system", name: "cluster", generation: 1 } };
    known({
      "gitrepositories.source.toolkit.fluxcd.io": [
        { ...source, spec: {}, status: ready("False", "GitOperationFailed") },
      ],
      "kustomizations.kustomize.toolkit.fluxcd.io": [
        { ...ofNode(FIRST), status: ready("True", "ReconciliationSucceeded", 2) },
        { ...ofNode(SECOND), status: ready("True", "ReconciliationSucceeded", 1) },
      ],
    });
    const { flux } = await sight();
    const common = { namespace: "flux-system" };
    const condition = (status: string, reason: string | undefined) => [{ type: "Ready", status, reason }];
    expect(seen(flux)).toEqual(
      expect.arrayContaining([
        {
          ...{
            ...common,
            kind: "GitRepository",
            name: "cluster",
            isOfAddons: false,
            isSuspended: false,
            isCurrent: true,
          },
          conditions: condition("False", "GitOperationFailed"),
        },
        {
          ...{ ...common, kind: "Kustomization", name: `node-${FIRST}`, isOfAddons: true, isSuspended: false },
          ...{ isCurrent: true, conditions: condition("True", "ReconciliationSucceeded") },
        },
        {
          ...{ ...common, kind: "Kustomization", name: `node-${SECOND}`, isOfAddons: true, isSuspended: true },
          ...{ isCurrent: false, conditions: condition("True", "ReconciliationSucceeded") },
        },
      ]),
    );
    expect(world.asked.filter((question) => question.includes("toolkit.fluxcd.io -A"))).toHaveLength(1);
  });

  it("shows no reason of an invalid form", async () => {
    const object = { ...ofNode(FIRST), status: ready("False", "\u001b[2J<script>; reboot") };
    known({ "kustomizations.kustomize.toolkit.fluxcd.io": [object] });
    expect(seen((await sight()).flux)[0]!.conditions).toEqual([{ type: "Ready", status: "False", reason: undefined }]);
  });

  it("is absent if only its kinds are left", async () => {
    known({ "kustomizations.kustomize.toolkit.fluxcd.io": [] });
    expect((await sight()).flux).toEqual({ is: "absent" });
  });

  it("is unknown if an object has a name of an invalid form", async () => {
    known({
      "kustomizations.kustomize.toolkit.fluxcd.io": [{ kind: "K", metadata: { namespace: "x", name: "../../a" } }],
    });
    expect((await sight()).flux).toEqual({ is: "unknown" });
  });
});

describe("Prometheus", () => {
  const object = (spec: object, status: object = { availableReplicas: 1 }) => ({
    metadata: { namespace: "monitoring", name: "main" },
    spec,
    status,
  });
  const sample = (metric: object, value: string) => ({ metric, value: [1764460000.5, value] });
  const answer = (...result: object[]) => JSON.stringify({ status: "success", data: { resultType: "vector", result } });
  const well = answer(
    sample({ job: "node-exporter", up: "1" }, "2"),
    sample({ job: "node-exporter", up: "0" }, "1"),
    sample({ job: "k3s-server", up: "1" }, "3"),
    sample({ __name__: "up", job: "node-exporter", instance: "192.168.2.22:9100" }, "0"),
  );
  const jobs = [
    { job: "node-exporter", up: 2, down: 1, silent: ["192.168.2.22:9100"] },
    { job: "k3s-server", up: 3, down: 0, silent: [] },
  ];
  const pod = (at: number, scheme = "http", prefix = ""): string =>
    `/api/v1/namespaces/monitoring/pods/${scheme}:prometheus-main-${at}:9090/proxy${prefix}/api/v1/query?`;
  const PROMETHEUS = "prometheuses.monitoring.coreos.com";

  it.each([
    ["its first pod", {}, pod(0)],
    ["another pod, if the first is away", { replicas: 2 }, pod(1)],
    [
      "its own path and scheme",
      { routePrefix: "/prometheus/", web: { tlsConfig: { cert: {} } } },
      pod(0, "https", "/prometheus"),
    ],
  ])("has its targets counted for each job, by %s", async (_, spec, at) => {
    known({ [PROMETHEUS]: [object(spec)] });
    cluster.proxied = new Map([[at, well]]);
    const wanted = (spec as { replicas?: number }).replicas ?? 1;
    expect(seen((await sight()).prometheus)).toEqual([
      { namespace: "monitoring", name: "main", wanted, available: 1, conditions: [], jobs },
    ]);
  });

  it.each([
    ["does not answer", new Map<string, string>()],
    ["answers with something else", new Map([[pod(0), "<html>"]])],
    ["refuses the question", new Map([[pod(0), JSON.stringify({ status: "error", errorType: "timeout" })]])],
  ])("has unknown targets if its pod %s", async (_, proxied) => {
    known({ [PROMETHEUS]: [object({ replicas: 1 })] });
    cluster.proxied = proxied;
    expect(seen((await sight()).prometheus)[0]).toMatchObject({ available: 1, jobs: undefined });
  });

  it("gets no question while none of its pods is available, nor by a path outside its proxy", async () => {
    known({ [PROMETHEUS]: [object({}, {}), object({ routePrefix: "/../../secrets" })] });
    expect(seen((await sight()).prometheus).map(({ available }) => available)).toEqual([undefined, 1]);
    expect(world.asked.filter((question) => question.includes("/proxy"))).toEqual([]);
  });

  it("shows no text of a target that has an invalid form", async () => {
    known({ [PROMETHEUS]: [object({})] });
    const evil = "\u001b[2J<script>";
    cluster.proxied = new Map([
      [pod(0), answer(sample({ job: evil, up: "0" }, "1"), sample({ __name__: "up", job: evil, instance: evil }, "0"))],
    ]);
    expect(seen((await sight()).prometheus)[0]!.jobs).toEqual([{ job: undefined, up: 0, down: 1, silent: [] }]);
  });
});

function service(name: string, { type, ports }: { type: string; ports: readonly number[] }): object {
  const all = [...ports.map((nodePort) => ({ nodePort, protocol: "TCP" })), { nodePort: 31999, protocol: "UDP" }];
  const labels = { "app.kubernetes.io/name": name };
  return { metadata: { namespace: "kube-system", name, labels }, spec: { type, ports: all } };
}

describe("the ingress", () => {
  /** "ADDRESS PORT" that take no connection from anywhere. */
  let silent: string[];
  /** Which guest got the question about which nodes. */
  let asked: string[];

  beforeEach(() => {
    silent = [];
    asked = [];
    const bash = `for each in $SILENT; do [ "$each" != "$4:$5" ] || exit 1; done`;
    fs.writeFileSync(path.join(world.host.root, "bin/bash"), `#!/bin/sh\n${bash}\n`, { mode: 0o755 });
    // The guest's own shell runs the script; only the servers in its network are doubles.
    world.prints = (shell, vmid) => {
      const [, targets = ""] = /TARGETS='([^']*)'/.exec(shell) ?? [];
      asked.push(
        `${vmid}: ${targets
          .split("\n")
          .map((line) => line.split(" ")[0])
          .join(" ")}`,
      );
      const env = { PATH: `${world.host.root}/bin:${process.env["PATH"]}`, SILENT: silent.join(" ") };
      return spawnSync("sh", ["-s"], { input: shell.replace(/^\n/, ""), env, encoding: "utf8" }).stdout;
    };
    cluster.objects.set("services", [
      service("traefik", { type: "NodePort", ports: [30080, 30443] }),
      service("other", { type: "NodePort", ports: [30999] }),
    ]);
  });
  const portsOf = async (nodes?: readonly string[]): Promise<string[]> =>
    seen((await sight(nodes)).ingress)
      .ports.map(({ node, port, answers }) => `${node} ${port} ${answers}`)
      .sort();

  it("is checked on every node from another node", async () => {
    silent = ["192.168.2.22:30443", "192.168.2.20:30080"];
    expect(await portsOf()).toEqual(
      [
        ...[`${SERVER} 30080 false`, `${SERVER} 30443 true`, `${FIRST} 30080 true`, `${FIRST} 30443 true`],
        ...[`${SECOND} 30080 true`, `${SECOND} 30443 false`, `${THIRD} 30080 true`, `${THIRD} 30443 true`],
      ].sort(),
    );
    expect(asked).toEqual([`100: ${FIRST} ${SECOND} ${THIRD}`, `101: ${SERVER}`]);
  });

  it("of the only node is checked from that node", async () => {
    expect(await portsOf([SERVER])).toEqual([`${SERVER} 30080 true`, `${SERVER} 30443 true`]);
    expect(asked).toEqual(["100: ", `100: ${SERVER}`]);
  });

  it("is checked from a third node if the second is down", async () => {
    world.stopped.add(101);
    expect(await portsOf()).toHaveLength(8);
    expect(asked.at(-1)).toBe(`102: ${SERVER}`);
  });

  it("of a node that no other node could check is in no list", async () => {
    for (const vmid of [101, 102]) world.stopped.add(vmid);
    expect((await portsOf()).filter((port) => port.startsWith(SERVER))).toEqual([]);
  });

  it("a guest's answer counts only for the nodes in its question, and only in a valid form", async () => {
    world.prints = (_, vmid) =>
      vmid === 101 ? `${SECOND} 30080 answers\n${SERVER} 30080 answers\nport\tx\n$(id) 1 silent\n` : "";
    expect(await portsOf()).toEqual([`${SERVER} 30080 true`]);
  });

  it("with K3s' load balancer is checked too if it has the add-ons' ports", async () => {
    cluster.objects.set("services", [service("traefik", { type: "LoadBalancer", ports: [30080, 30443] })]);
    expect((await sight()).ingress).toMatchObject({ is: "there", seen: { nodePorts: [30080, 30443] } });
  });
});

describe("an API that does not answer is never taken for one that has nothing", () => {
  const presence = async (): Promise<Record<string, string>> =>
    Object.fromEntries(Object.entries(await sight()).map(([name, { is }]) => [name, is]));
  beforeEach(() => {
    installLonghorn(cluster);
    known({
      "kustomizations.kustomize.toolkit.fluxcd.io": [
        { kind: "Kustomization", metadata: { namespace: "a", name: "b" } },
      ],
      "prometheuses.monitoring.coreos.com": [{ metadata: { namespace: "a", name: "b" } }],
    });
  });
  const there = { longhorn: "there", flux: "there", prometheus: "there", ingress: "absent" };

  it("has all of them if it answers", async () => expect(await presence()).toEqual(there));

  it.each([
    ["about its kinds", /^get crd/, { longhorn: "unknown", flux: "unknown", prometheus: "unknown" }],
    ["about Longhorn's nodes", /^get nodes\.longhorn/, { longhorn: "unknown" }],
    ["about Longhorn's volumes", /^get volumes\.longhorn/, { longhorn: "unknown" }],
    ["about Flux", /^get kustomizations/, { flux: "unknown" }],
    ["about Prometheus", /^get prometheuses/, { prometheus: "unknown" }],
    ["about services", /^get services/, { ingress: "unknown" }],
  ])("%s", async (_, question, changed) => {
    world.isRefused = (each) => question.test(each);
    expect(await presence()).toEqual({ ...there, ...changed });
  });

  it("at all", async () => {
    world.stopped.add(100);
    expect(await look()).toBeUndefined();
  });
});
