import * as fs from "node:fs";
import * as path from "node:path";

import { installClusterServices } from "../../lab/components/clusterServices";
import { findLab } from "../../lab/lab";
import { pushChartDouble } from "../../lab/registry/fill";
import { AddonsLab, type Changes } from "../support/addonsLab";
import { applyObjects, Askers } from "../support/askers";
import { eventually, Lab } from "../support/lab";
import {
  countByJob,
  isAsked,
  KUBELET_PATHS,
  nodesOf,
  Prometheus,
  type Rule,
  ruleOf,
  targetOf,
} from "../support/prometheus";
import { secretsIn } from "../support/secretScan";

/*
 * The monitoring on a cluster: the real prometheus-operator, Prometheus and node-exporter, installed by the add-ons' program from the
 * lab's double of the chart. The tests build on each other; the first failure is the one to read.
 */

const lab = new Lab("monitoring");
const addons = new AddonsLab(lab);
const CHART = "kube-prometheus-stack";
const PROMETHEUS = `${CHART}-prometheus`;
const prometheus = new Prometheus(lab, "monitoring", `${PROMETHEUS}:9090`);
const PASSWORD = "correct-horse-battery-staple";
const JOINED = "k3s-worker-03";
const WORKERS = [
  { name: "k3s-worker-01", vmid: 102 },
  { name: "k3s-worker-02", vmid: 103 },
];
const INITIAL = ["k3s-master", ...WORKERS.map(({ name }) => name)];
/** The operator looks for new nodes only at this interval. */
const OPERATOR_LOOKS_S = 180;
/** The releases and namespaces of a cluster without add-ons. */
let before: string[] = [];

beforeAll(async () => {
  await addons.raise((cluster) => {
    // The cluster has a DNS server, but not from K3s.
    cluster.k3s.disable = cluster.k3s.disable.filter((name: string) => name !== "coredns");
  });
  await lab.pulumiOk("up", "--yes", "--skip-preview");
  await installClusterServices(findLab(lab.name)!, () => {});
  const chart = await pushChartDouble(addons.registry, CHART, () => {});
  addons.edit((config) => {
    for (const key of Object.keys(config)) if (!["cluster", "ingress"].includes(key)) delete config[key];
    config.timeout = "10m";
    config.monitoring = { chart, grafana: {} };
  });
  before = await objects();
  await addons.pulumi("config", "set", "--secret", "grafanaPassword", PASSWORD);
}, 60 * 60_000);
afterAll(() => lab.down(), 120_000);

jest.setTimeout(600_000);

describe("the first up", () => {
  it("creates what the config names, and nothing else", async () => {
    const policies = ["deny-all", "allow-within", "allow-dns", "allow-destinations", "allow-api", "allow-api-server"];
    const names = [
      ...["default", lab.stack, "monitoring", "node-exporter"],
      ...policies.map((policy) => `monitoring-${policy}`),
      ...["monitoring-grafana-admin", "monitoring-dashboard-nodes", CHART],
      ...["monitoring-prometheusrule-proxmox-k3s", "monitoring-podmonitor-traefik"],
    ];
    const expected: Changes = Object.fromEntries(names.map((name) => [name, ["create"]]));
    // A namespace and a release.
    expect(await addons.result("up")).toEqual({ ...expected, traefik: ["create", "create"] });
  });

  it("starts Prometheus", async () => {
    const available = "--for=condition=Available";
    await lab.kubectl("-n", "monitoring", "wait", available, `prometheus/${PROMETHEUS}`, "--timeout=300s");
    // It scrapes itself only after half a minute.
    const [info] = await eventually(90, async () => {
      const found = await prometheus.query('prometheus_build_info{container="prometheus"}');
      return found.length > 0 && found;
    });
    expect(info!.metric).toMatchObject({ version: "3.16.0" });
  });

  it("scrapes what the vendor's chart scrapes with these values", async () => {
    const { items } = await lab.kubectlJson<{ items: Monitor[] }>("get", "servicemonitors", "-A");
    const made = items.map(({ metadata: { namespace, name }, spec }) => ({ namespace, name, spec }));
    const { monitors } = JSON.parse(fs.readFileSync(MONITORS, "utf8")) as { monitors: typeof made };
    expect(made.map(({ name }) => name).sort()).toEqual(monitors.map(({ name }) => name).sort());
    for (const monitor of monitors) expect(made.find(({ name }) => name === monitor.name)).toMatchObject(monitor);
  });

  it("does not show Grafana's password", async () => {
    const secrets = [{ name: "Grafana's password", value: PASSWORD }];
    const state = (await addons.pulumi("stack", "export")).stdout;
    expect(state).toContain("grafana-admin");
    expect(secretsIn(state, secrets)).toEqual([]);
    expect(secretsIn(lab.transcript.join("\n"), secrets)).toEqual([]);
  });
});

describe("the targets", () => {
  it("are the nodes, the kubelets, Traefik and the parts of the monitoring, and all are up", async () => {
    const targets = await eventually(OPERATOR_LOOKS_S + 60, async () => {
      const all = await prometheus.targets();
      return isAsked(all, INITIAL) && all.every(({ health }) => health === "up") && all;
    });
    expect(countByJob(targets)).toEqual({
      "node-exporter": INITIAL.length,
      kubelet: INITIAL.length * KUBELET_PATHS.length,
      coredns: 1,
      // The program's own monitor; Traefik runs on each node.
      "monitoring/traefik": INITIAL.length,
      [`${CHART}-operator`]: 1,
      // Prometheus itself, and the reloader of its config.
      [PROMETHEUS]: 2,
    });
  });

  it("have node-exporter of each node once, with the node's name", async () => {
    expect(nodesOf("node-exporter", await prometheus.targets())).toEqual(INITIAL);
  });

  it("have K3s of each node once: each path of the kubelet once, and no other port of K3s", async () => {
    const targets = await prometheus.targets();
    const urls = targets.map(({ scrapeUrl }) => new URL(scrapeUrl));
    const { items } = await lab.kubectlJson<{ items: ApiNode[] }>("get", "nodes");
    const addresses = items.map(({ status }) => status.addresses.find(({ type }) => type === "InternalIP")!.address);
    const asked = urls.filter(({ hostname, port }) => addresses.includes(hostname) && port !== "9100");
    expect(asked.map(({ href }) => href).sort()).toEqual(
      addresses.flatMap((address) => KUBELET_PATHS.map((at) => `https://${address}:10250${at}`)).sort(),
    );
    expect(nodesOf("kubelet", targets)).toEqual(INITIAL.flatMap((name) => KUBELET_PATHS.map(() => name)));
  });

  it("give the metrics of each kubelet", async () => {
    const pods = await prometheus.query('kubelet_running_pods{job="kubelet",metrics_path="/metrics"}');
    expect(pods.map(({ metric }) => metric["node"]).sort()).toEqual(INITIAL);
    for (const { value } of pods) expect(Number(value[1])).toBeGreaterThan(0);
  });
});

describe("the rules", () => {
  const ours = ["NodeDown", "NodeMissing", "CertificateExpires"];

  it("are loaded, and Prometheus can evaluate each", async () => {
    const rules = await eventually(120, async () => {
      const all = await prometheus.rules();
      return all.length > 0 && all.every(({ health }) => health !== "unknown") && all;
    });
    const names = rules.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining([...ours, "TargetDown", "KubeAPIDown", "KubeletDown"]));
    expect(rules.filter(({ health }) => health !== "ok")).toEqual([]);
  });

  it("that always fire are left out, because nobody would get them", async () => {
    const names = (await prometheus.rules()).map(({ name }) => name);
    for (const name of ["Watchdog", "InfoInhibitor", "PrometheusNotConnectedToAlertmanagers"])
      expect(names).not.toContain(name);
  });

  it("do not fire on a healthy cluster", async () => {
    const loud = await eventually(120, async () => {
      const found = (await prometheus.rules()).filter(({ state }) => state !== "inactive");
      return found.length === 0 && found;
    });
    expect(loud).toEqual([]);
  });

  // CertificateExpires reads a metric that only K3s has; the lab's stand-in does not have it.
  it.each([
    ["NodeDown", 'up{job="node-exporter"}'],
    ["NodeMissing", 'up{job="node-exporter",node!=""}'],
  ])("%s uses metrics that exist for each node", async (alert, selector) => {
    const rule = ruleOf(alert, await prometheus.rules());
    expect(rule.query).toContain('up{job="node-exporter"');
    expect((await prometheus.query(selector)).map(({ metric }) => metric["node"]).sort()).toEqual(INITIAL);
  });

  it("of the chart use the only job of K3s that exists", async () => {
    const rules = await prometheus.rules();
    for (const name of ["KubeAPIDown", "KubeControllerManagerDown", "KubeSchedulerDown", "KubeProxyDown"])
      expect(ruleOf(name, rules).query).toContain('job="kubelet"');
    expect(await prometheus.query('up{job="kubelet"} == 1')).not.toEqual([]);
  });

  it("of anybody are loaded, from any namespace; the API server lets the operator check them", async () => {
    const rule = (expr: string) => ({
      ...{
        apiVersion: "monitoring.coreos.com/v1",
        kind: "PrometheusRule",
        metadata: { name: "own", namespace: "default" },
      },
      spec: { groups: [{ name: "own", rules: [{ alert: "OfMyOwn", expr }] }] },
    });
    // The API server itself cannot check PromQL.
    await expect(applyObjects(lab, [rule("up ===")])).rejects.toThrow("could not parse expression");
    await applyObjects(lab, [rule("vector(1)")]);
    await eventually(180, async () =>
      (await prometheus.rules()).some(({ name, state }) => name === "OfMyOwn" && state === "firing"),
    );
    await lab.kubectl("-n", "default", "delete", "prometheusrule", "own");
  });
});

describe("the dashboard", () => {
  it("has data for each node of its pool in each panel", async () => {
    const stored = ["-n", "monitoring", "get", "configmap", "dashboard-nodes", "-o", "jsonpath={.data}"];
    const data = JSON.parse(await lab.kubectl(...stored)) as Record<string, string>;
    const { panels } = JSON.parse(data["dashboard-nodes.json"]!) as { panels: Panel[] };
    const pools: Record<string, string[]> = { master: INITIAL.slice(0, 1), worker: INITIAL.slice(1) };
    let pool = "";
    const seen: string[] = [];
    for (const { type, title, targets = [] } of panels) {
      if (type === "row") pool = title.replace("Pool ", "");
      for (const { expr } of targets) {
        const found = await eventually(120, async () => {
          const samples = await prometheus.query(expr.replaceAll("$__rate_interval", "2m"));
          return samples.length === pools[pool]!.length && samples;
        }).catch((error: Error) => {
          throw new Error(`${title} of ${pool} has not a value for each node: ${expr}: ${error.message}`);
        });
        expect(found.map(({ metric }) => metric["node"]).sort()).toEqual(pools[pool]);
        // A rate is not exact.
        for (const { value } of found) expect(Math.abs(Number(value[1]) - 0.5)).toBeLessThanOrEqual(0.55);
        seen.push(`${pool}: ${title}`);
      }
    }
    const titles = ["Answers", "Processors in use", "Memory in use", "Fullest disk"];
    expect(seen).toEqual(Object.keys(pools).flatMap((each) => titles.map((title) => `${each}: ${title}`)));
  });
});

describe("the isolation of the namespace", () => {
  const address = async (namespace: string, selector: string): Promise<string> =>
    lab.kubectl("-n", namespace, "get", "pods", "-l", selector, "-o", "jsonpath={.items[0].status.podIP}");
  const askers = new Askers(lab, ["default", "monitoring"]);
  const connects = (namespace: string, host: string, port: number): Promise<boolean> =>
    askers.connects(namespace, host, port);

  beforeAll(async () => {
    await askers.start();
    // The policy controller needs some seconds to notice new pods.
    const [host = "", port] = addons.registry.authority.split(":");
    await eventually(60, async () => !(await connects("monitoring", host, Number(port))));
  });
  afterAll(() => askers.stop());

  it("leaves two ports open to other pods: Prometheus' and the operator's", async () => {
    const of = await address("monitoring", "app.kubernetes.io/name=prometheus");
    const operator = await address("monitoring", `app.kubernetes.io/name=${CHART}-prometheus-operator`);
    expect(await connects("default", of, 9090)).toBe(true);
    expect(await connects("default", operator, 10_250)).toBe(true);
    // The reloader of Prometheus' config.
    expect(await connects("monitoring", of, 8080)).toBe(true);
    expect(await connects("default", of, 8080)).toBe(false);
    expect(await connects("default", await address("monitoring", "app=asker"), 8080)).toBe(false);
  });

  it("lets its own pods connect to every pod and node, and to nothing outside the cluster", async () => {
    const { items } = await lab.kubectlJson<{ items: ApiNode[] }>("get", "nodes");
    for (const { status } of items) expect(await connects("monitoring", status.addresses[0]!.address, 9100)).toBe(true);
    expect(await connects("monitoring", await address("default", "app=asker"), 8080)).toBe(true);
    const [host = "", port] = addons.registry.authority.split(":");
    expect(await connects("default", host, Number(port))).toBe(true);
    expect(await connects("monitoring", host, Number(port))).toBe(false);
  });
});

describe("status", () => {
  it("names Prometheus and how many targets it reaches", async () => {
    const { length } = await prometheus.targets();
    expect(await status()).toEqual([`ok: monitoring/${PROMETHEUS} runs and reaches all ${length} targets of 6 jobs`]);
  });
});

describe("a second up", () => {
  it("changes nothing", async () => {
    expect(await addons.result("up")).toEqual({});
  });
});

/** What changes with a changed set of nodes. */
const OF_NODES: Changes = {
  "monitoring-allow-destinations": ["update"],
  "monitoring-dashboard-nodes": ["update"],
  "monitoring-prometheusrule-proxmox-k3s": ["update"],
};

describe("a node that joins", () => {
  const all = [...INITIAL, JOINED];

  it("is found automatically, but Prometheus cannot scrape it before the add-ons' up", async () => {
    await setWorkers(3);
    const pods = ["-n", "node-exporter", "get", "pods", "--field-selector", `spec.nodeName=${JOINED}`, "-o", "name"];
    const pod = await eventually(60, async () => (await lab.kubectl(...pods)).trim());
    await lab.kubectl("-n", "node-exporter", "wait", "--for=condition=Ready", pod, "--timeout=180s");
    // Longer than the interval between two scrapes.
    await new Promise((resolve) => setTimeout(resolve, 65_000));
    expect(targetOf("node-exporter", JOINED, await prometheus.targets())).toMatchObject({ health: "down" });
    // No alert may report it as a node that is down.
    expect(ruleOf("NodeDown", await prometheus.rules()).state).toBe("inactive");
  });

  it("has all its targets up after that up", async () => {
    expect(await addons.result("up")).toEqual(OF_NODES);
    const targets = await eventually(OPERATOR_LOOKS_S + 60, async () => {
      const asked = await prometheus.targets();
      return isAsked(asked, all) && asked.every(({ health }) => health === "up") && asked;
    });
    expect(nodesOf("node-exporter", targets)).toEqual(all);
    expect(ruleOf("NodeMissing", await eventually(120, rulesWith(JOINED))).state).toBe("inactive");
  });
});

describe("a node that leaves", () => {
  it("is no target any more, and counts as missing until the add-ons know it", async () => {
    await setWorkers(2);
    await eventually(60, async () => targetOf("node-exporter", JOINED, await prometheus.targets()) === undefined);
    const missing = await eventually(120, async () => {
      const rule = ruleOf("NodeMissing", await prometheus.rules());
      return rule.state !== "inactive" && rule;
    });
    expect(missing.alerts).toMatchObject([{ labels: { node: JOINED, severity: "warning" }, state: "pending" }]);
    await eventually(OPERATOR_LOOKS_S + 60, async () => isAsked(await prometheus.targets(), INITIAL));
  });

  it("is forgotten by the next up", async () => {
    expect(await addons.result("up")).toEqual(OF_NODES);
    const rule = await eventually(180, async () => {
      const found = ruleOf("NodeMissing", await prometheus.rules());
      return !found.query.includes(JOINED) && found.health === "ok" && found;
    });
    expect(rule.state).toBe("inactive");
    expect(await addons.result("up")).toEqual({});
  });
});

describe("a node that dies", () => {
  let dead: { name: string; vmid: number };

  it("is reported by an alert after five minutes, and by status at once", async () => {
    const pod = ["-n", "monitoring", "get", "pod", `prometheus-${PROMETHEUS}-0`, "-o", "jsonpath={.spec.nodeName}"];
    const busy = await lab.kubectl(...pod);
    // Prometheus must not run on the node that dies.
    dead = WORKERS.find(({ name }) => name !== busy)!;
    await lab.host(`pct stop ${dead.vmid}`);
    const from = Date.now();
    await eventually(120, async () => ruleOf("NodeDown", await prometheus.rules()).state === "pending");
    const reached = `warn: monitoring/${PROMETHEUS} reaches 2 of 3 targets of node-exporter; down: `;
    expect((await status()).filter((line) => line.startsWith(reached))).toHaveLength(1);
    const fired = await eventually(420, async () => {
      const rule = ruleOf("NodeDown", await prometheus.rules());
      return rule.state === "firing" && rule;
    });
    expect(fired.alerts).toMatchObject([{ labels: { node: dead.name, severity: "critical" }, state: "firing" }]);
    // No alert for the other parts of K3s, whose only endpoint on that node is the kubelet's.
    const loud = (await prometheus.rules()).filter(({ state }) => state !== "inactive").map(({ name }) => name);
    expect(loud.sort()).toEqual(["KubeletInstanceUnreachable", "NodeDown", "TargetDown"]);
    expect(Date.now() - from).toBeGreaterThan(300_000);
  }, 900_000);

  it("has no alert any more when it is back", async () => {
    await lab.host(`pct start ${dead.vmid}`);
    await eventually(300, async () => {
      const [targets, rules] = [await prometheus.targets(), await prometheus.rules()];
      return targets.every(({ health }) => health === "up") && ruleOf("NodeDown", rules).state === "inactive";
    });
  });
});

describe("destroy", () => {
  it("leaves only the CRDs", async () => {
    await addons.result("destroy");
    expect(addons.state()!.made).toEqual([]);
    const crds = (await lab.kubectl("get", "crds", "-o", "name")).trim().split("\n");
    expect(crds.every((name) => name.endsWith(".monitoring.coreos.com"))).toBe(true);
    expect(crds).toHaveLength(10);
    // The API server's garbage collector removes what a deleted object owned.
    await eventually(120, async () => (await objects()).every((name) => before.includes(name))).catch(() => {});
    expect((await objects()).filter((name) => !before.includes(name))).toEqual([]);
  });
});

const MONITORS = path.join(__dirname, "../../addons/tests/fixtures/charts/kube-prometheus-stack.monitors.json");

interface Monitor {
  readonly metadata: { readonly namespace: string; readonly name: string };
  readonly spec: object;
}
interface ApiNode {
  readonly status: { readonly addresses: readonly { readonly type: string; readonly address: string }[] };
}
interface Panel {
  readonly type: string;
  readonly title: string;
  readonly targets?: readonly { readonly expr: string }[];
}

/** The rules, as soon as the one about missing nodes names this node and was evaluated. */
const rulesWith = (node: string) => async (): Promise<Rule[] | false> => {
  const rules = await prometheus.rules();
  const { query, health } = ruleOf("NodeMissing", rules);
  return query.includes(node) && health === "ok" && rules;
};

/** What the cluster's command prints about Prometheus. */
async function status(): Promise<string[]> {
  const { stdout } = await lab.cluster("status", "--stack", lab.stack, "--json");
  const { findings } = JSON.parse(stdout) as { findings: { level: string; check: string; seen: string }[] };
  return findings.filter(({ check }) => check === "prometheus").map(({ level, seen }) => `${level}: ${seen}`);
}

/** Names of the objects that add-ons consist of, in all namespaces. */
async function objects(): Promise<string[]> {
  const kinds = [
    ...["namespaces", "services", "endpoints", "endpointslices", "configmaps", "secrets", "serviceaccounts"],
    ...["deployments", "statefulsets", "daemonsets", "networkpolicies", "persistentvolumes"],
    ...["clusterroles", "clusterrolebindings", "roles", "rolebindings"],
    ...["validatingwebhookconfigurations", "mutatingwebhookconfigurations"],
  ];
  return (await lab.kubectl("get", kinds.join(","), "-A", "-o", "name")).trim().split("\n");
}

async function setWorkers(count: number): Promise<void> {
  lab.edit((cluster) => {
    cluster.pools.worker.count = count;
  });
  await lab.pulumiOk("up", "--yes", "--skip-preview");
}
