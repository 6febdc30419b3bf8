import { loadSettings } from "../../plan/load";
import { planMonitoring } from "../../plan/monitoring";
import type { ApiObject } from "../../plan/object";
import { monitoringFree, readFacts, readMonitoringFacts, wrongValues } from "../support/chartValues";
import { baseConfig, changed, clusterOf, planOf } from "../support/config";

const CHART = {
  source: "oci://ghcr.io/prometheus-community/charts/kube-prometheus-stack",
  version: "88.5.3",
  digest: `sha256:${"ab".repeat(32)}`,
};
const LONGHORN = { chart: { ...CHART, version: "1.12.1" }, replicas: 1 };
const TRAEFIK = { traefik: "helmChartConfig" };
const FLUX = { install: "none", git: { url: "https://git.example.org/homelab.git" } };

/** Three servers that show etcd's metrics. */
const server = (index: number) => ({
  ...{ role: "server", kind: "vm", pool: "master", index, vmId: 100 + index, address: `192.168.2.${20 + index}` },
  ...{ proxmoxNode: "pve", labels: {}, taints: [] },
});
const THREE = { etcdMetrics: true, nodes: { "k3s-master-2": server(2), "k3s-master-3": server(3) } };

function monitoringOf(monitoring: object = {}, others: object = {}, outputs: unknown = {}) {
  const settings = loadSettings({
    cluster: "organization/proxmox-k3s/homelab",
    monitoring: { chart: CHART, ...monitoring },
    ...others,
  });
  return planMonitoring(settings, clusterOf(outputs))!;
}
const valuesOf = (...args: Parameters<typeof monitoringOf>) => monitoringOf(...args).release.values;

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly annotations: Readonly<Record<string, string>>;
}
function rulesOf(objects: readonly ApiObject[]): Rule[] {
  const { spec } = objects.find(({ kind }) => kind === "PrometheusRule")!;
  return (spec["groups"] as { rules: Rule[] }[]).flatMap(({ rules }) => rules);
}

describe("K3s is scraped once, at the port with the metrics of all its parts", () => {
  const values = valuesOf();

  test.each(["kubeApiServer", "kubeControllerManager", "kubeScheduler", "kubeProxy"])(
    "%s has no own monitor, and the chart's rules use the kubelet's job",
    (part) => {
      expect(values[part]).toMatchObject({ jobNameOverride: "kubelet", serviceMonitor: { enabled: false } });
    },
  );

  test("a worker that is down is not reported as an API server or another part of a server", () => {
    const { disabled } = values["defaultRules"] as { disabled: Record<string, boolean> };
    for (const part of ["KubeAPI", "KubeControllerManager", "KubeScheduler", "KubeProxy"])
      expect(disabled).toHaveProperty(`${part}InstanceUnreachable`, true);
    expect(disabled).not.toHaveProperty("KubeletInstanceUnreachable");
  });

  test("the kubelet's monitor comes from the chart, and the rules already name its job", () => {
    expect(values["kubelet"]).not.toHaveProperty("jobNameOverride");
  });

  test("the Service of the kubelets, which the operator never deletes, is deleted with the namespace", () => {
    expect(values).toMatchObject({
      kubelet: { namespace: "monitoring" },
      prometheusOperator: { kubeletService: { namespace: "monitoring" } },
    });
  });
});

test("node-exporter runs on every node, tolerates every taint, has a namespace that allows it, and reports the node's name", () => {
  expect(valuesOf()["prometheus-node-exporter"]).toEqual({
    namespaceOverride: "node-exporter",
    tolerations: [{ operator: "Exists" }],
    prometheus: {
      monitor: { relabelings: [{ sourceLabels: ["__meta_kubernetes_pod_node_name"], targetLabel: "node" }] },
    },
  });
});

describe("the metrics", () => {
  const prometheusOf = (...args: Parameters<typeof valuesOf>) =>
    (valuesOf(...args)["prometheus"] as { prometheusSpec: Record<string, unknown> }).prometheusSpec;

  test("have a size limit on the disk of a node, if there is no volume", () => {
    const spec = prometheusOf();
    expect(spec).toMatchObject({ retention: "10d", retentionSize: "5GiB" });
    expect(spec).not.toHaveProperty("storageSpec");
  });

  test("are on a volume, and use only a part of it", () => {
    const spec = prometheusOf({ retentionDays: 30, storage: { class: "local-path", size: "20GB" } });
    expect(spec).toMatchObject({
      ...{ retention: "30d", retentionSize: "16GiB" },
      storageSpec: {
        volumeClaimTemplate: {
          spec: { storageClassName: "local-path", resources: { requests: { storage: "20Gi" } } },
        },
      },
    });
    expect(spec).not.toHaveProperty("nodeSelector");
  });

  test("on a volume of Longhorn, Prometheus runs where Longhorn does", () => {
    const storage = { class: "longhorn", size: "20GB" };
    const taints = [{ key: "storage", value: "only", effect: "NoSchedule" }];
    const outputs = { nodes: { "k3s-storage-01": { taints } } };
    expect(prometheusOf({ storage }, { longhorn: LONGHORN }, outputs)).toMatchObject({
      nodeSelector: { "node.longhorn.io/create-default-disk": "config" },
      tolerations: [{ key: "storage", operator: "Exists", effect: "NoSchedule" }],
    });
    expect(monitoringOf({ storage }, { longhorn: LONGHORN }).needsLonghorn).toBe(true);
    // A Longhorn of somebody else may be on other nodes.
    expect(prometheusOf({ storage })).not.toHaveProperty("nodeSelector");
    expect(monitoringOf({ storage }).needsLonghorn).toBe(false);
  });

  test("come from the monitors of every namespace", () => {
    expect(prometheusOf()).toMatchObject({
      serviceMonitorSelectorNilUsesHelmValues: false,
      podMonitorSelectorNilUsesHelmValues: false,
      ruleSelectorNilUsesHelmValues: false,
    });
  });
});

describe("the other add-ons are scraped if the config names them", () => {
  const monitorsOf = (others: object) =>
    monitoringOf({}, others)
      .objects.filter(({ kind }) => kind !== "PrometheusRule")
      .map(({ kind, metadata, spec }) => [kind, metadata.namespace, metadata.name, spec]);
  const inNamespace = (name: string) => ({ namespaceSelector: { matchNames: [name] } });

  test("none", () => expect(monitorsOf({})).toEqual([]));

  test("all", () => {
    expect(monitorsOf({ ingress: TRAEFIK, flux: FLUX, longhorn: LONGHORN })).toEqual([
      [
        ...["PodMonitor", "monitoring", "traefik"],
        {
          ...inNamespace("kube-system"),
          selector: { matchLabels: { "app.kubernetes.io/name": "traefik" } },
          podMetricsEndpoints: [{ port: "metrics" }],
        },
      ],
      [
        ...["PodMonitor", "monitoring", "flux"],
        {
          ...inNamespace("flux-system"),
          selector: {
            matchExpressions: [{ key: "app", operator: "In", values: ["source-controller", "kustomize-controller"] }],
          },
          podMetricsEndpoints: [{ port: "http-prom" }],
        },
      ],
      [
        ...["ServiceMonitor", "monitoring", "longhorn"],
        {
          ...inNamespace("longhorn-system"),
          selector: { matchLabels: { app: "longhorn-manager" } },
          endpoints: [{ port: "manager" }],
        },
      ],
    ]);
  });
});

describe("alerts", () => {
  const namesOf = (others: object, outputs: unknown = {}) =>
    rulesOf(monitoringOf({}, others, outputs).objects).map(({ alert }) => alert);

  test("for nodes and certificates always, for volumes with Longhorn", () => {
    expect(namesOf({})).toEqual(["NodeDown", "NodeMissing", "CertificateExpires"]);
    expect(namesOf({ longhorn: LONGHORN })).toEqual([
      ...["NodeDown", "NodeMissing", "CertificateExpires"],
      ...["LonghornVolumeDegraded", "LonghornVolumeFaulted"],
    ]);
  });

  test("a missing node of the plan is reported by its name", () => {
    const missing = rulesOf(monitoringOf().objects).find(({ alert }) => alert === "NodeMissing")!;
    expect(missing.expr.split(" or ")).toEqual([
      'absent(up{job="node-exporter",node="k3s-master"})',
      'absent(up{job="node-exporter",node="k3s-storage-01"})',
      'absent(up{job="node-exporter",node="k3s-worker-01"})',
    ]);
  });

  test.each([
    ["three servers", THREE, "<= 2"],
    [
      "five servers",
      { ...THREE, nodes: { ...THREE.nodes, "k3s-master-4": server(4), "k3s-master-5": server(5) } },
      "<= 3",
    ],
  ])("with %s, there is an alert for the last server that etcd can lose", (_, outputs, bound) => {
    const quorum = rulesOf(monitoringOf({}, {}, outputs).objects).find(({ alert }) => alert.startsWith("Etcd"))!;
    expect(quorum.expr).toBe(`(count(up{job="kube-etcd"} == 1) or vector(0)) ${bound}`);
  });

  test("etcd is scraped at the servers' own addresses; a single server has no quorum", () => {
    expect(valuesOf({}, {}, THREE)["kubeEtcd"]).toEqual({
      enabled: true,
      endpoints: ["192.168.2.20", "192.168.2.22", "192.168.2.23"],
    });
    expect(valuesOf({}, {}, { etcdMetrics: true })["kubeEtcd"]).toEqual({ enabled: false, endpoints: [] });
    expect(namesOf({}, { etcdMetrics: true })).not.toContain("EtcdHasNoSpareServer");
  });

  test("several servers that do not show etcd's metrics are not watched, and a preview says so", () => {
    const hidden = { ...THREE, etcdMetrics: false };
    expect(namesOf({}, hidden)).not.toContain("EtcdHasNoSpareServer");
    expect(planOf(baseConfig(), hidden).warnings).toEqual([
      expect.stringMatching(/^monitoring: the quorum of etcd is not watched, because .*etcd-expose-metrics: true/),
    ]);
    expect(planOf(baseConfig(), THREE).warnings).toEqual([]);
    expect(planOf(baseConfig()).warnings).toEqual([]);
  });

  test("each says what to do", () => {
    for (const { annotations } of rulesOf(monitoringOf({}, { longhorn: LONGHORN }, THREE).objects)) {
      expect(annotations["summary"]).toMatch(/\.$|labels\.subject \}\}\.$/);
      expect(annotations["description"]).toMatch(/\.$/);
    }
  });

  test("that always fire are off if nobody receives alerts", () => {
    expect(valuesOf()).toMatchObject({
      alertmanager: { enabled: false },
      defaultRules: {
        disabled: { Watchdog: true, InfoInhibitor: true, PrometheusNotConnectedToAlertmanagers: true },
      },
    });
    const values = valuesOf({ alertmanager: true });
    expect(values).toMatchObject({ alertmanager: { enabled: true } });
    const { disabled } = values["defaultRules"] as { disabled: object };
    for (const name of ["Watchdog", "InfoInhibitor", "PrometheusNotConnectedToAlertmanagers"])
      expect(disabled).not.toHaveProperty(name);
  });
});

describe("Grafana", () => {
  interface Panel {
    readonly title: string;
    readonly type: string;
    readonly targets?: readonly { readonly expr: string }[];
    readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  }
  const panelsOf = (others: object = {}): Panel[] => {
    const json = monitoringOf({ grafana: {} }, others).dashboards["dashboard-nodes"]!;
    return (JSON.parse(json) as { panels: Panel[] }).panels;
  };

  test("is off if the config does not name it", () => {
    const { release, secrets, dashboards } = monitoringOf();
    expect([release.values["grafana"], secrets, dashboards]).toEqual([{ enabled: false }, [], {}]);
  });

  test("has its password from a Secret, not from the chart's values", () => {
    const { release, secrets } = monitoringOf({ grafana: { host: "grafana.example.org" } });
    expect(secrets).toEqual([
      { name: "grafana-admin", data: { "admin-user": "admin", "admin-password": { secret: "grafanaPassword" } } },
    ]);
    expect(release.values["grafana"]).toMatchObject({
      admin: { existingSecret: "grafana-admin" },
      ingress: { enabled: true, hosts: ["grafana.example.org"] },
    });
  });

  test("shows a row for each pool, with the nodes of the plan", () => {
    const panels = panelsOf();
    expect(panels.filter(({ type }) => type === "row").map(({ title }) => title)).toEqual([
      ...["Pool master", "Pool storage", "Pool worker"],
    ]);
    const [, answers] = panels;
    expect(answers!.targets![0]!.expr).toBe('max by (node) (up{job="node-exporter",node=~"k3s-master"})');
    expect(panelsOf({ longhorn: LONGHORN }).map(({ title }) => title)).toContain("Longhorn");
  });

  test("shows no panel above another", () => {
    const panels = panelsOf({ longhorn: LONGHORN });
    const cells = panels.flatMap(({ gridPos: { x, y, w, h } }) =>
      Array.from({ length: w * h }, (_, at) => `${x + (at % w)} ${y + Math.floor(at / w)}`),
    );
    expect(new Set(cells).size).toBe(cells.length);
    for (const { gridPos } of panels) expect(gridPos.x + gridPos.w).toBeLessThanOrEqual(24);
  });
});

describe("its namespaces", () => {
  const namespaceOf = (name: string, change: object = {}) =>
    planOf(changed(baseConfig(), change)).namespaces.find((each) => each.name === name)!;
  const policyOf = (namespace: string, policy: string, change?: object) =>
    namespaceOf(namespace, change).policies.find(({ name }) => name === policy);

  test("only node-exporter's namespace is privileged", () => {
    expect(namespaceOf("node-exporter")).toMatchObject({ podSecurity: "privileged", policies: [] });
    expect(namespaceOf("monitoring").podSecurity).toBe("baseline");
  });

  test("Prometheus may connect to every pod and node and to the API, but not outside", () => {
    expect(policyOf("monitoring", "allow-destinations")!.egress).toEqual(
      ["10.42.0.0/16", "192.168.2.20/32", "192.168.2.30/32", "192.168.2.21/32"].map((cidr) => ({
        to: [{ ipBlock: { cidr } }],
      })),
    );
    expect(policyOf("monitoring", "allow-api")).toBeDefined();
    expect(policyOf("monitoring", "allow-outside")).toBeUndefined();
    expect(policyOf("monitoring", "allow-outside", { monitoring: { alertmanager: true } })).toBeDefined();
  });

  test("only the ingress, for Grafana, and the API server may connect to it", () => {
    const ingress = namespaceOf("monitoring").policies.filter((policy) => "ingress" in policy);
    expect(ingress.map(({ name }) => name)).toEqual(["deny-all", "allow-within", "allow-ingress", "allow-api-server"]);
    expect(policyOf("monitoring", "allow-ingress", { monitoring: { grafana: { host: null } } })).toBeUndefined();
    expect(policyOf("monitoring", "allow-api-server")!.ingress).toEqual([
      {
        ports: [
          { protocol: "TCP", port: 10250 },
          { protocol: "TCP", port: 9090 },
        ],
      },
    ]);
  });

  test("one more policy lets Prometheus in to Longhorn, but only to its managers", () => {
    expect(policyOf("longhorn-system", "allow-monitoring")).toEqual({
      name: "allow-monitoring",
      pods: { app: "longhorn-manager" },
      ingress: [
        {
          from: [
            {
              namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "monitoring" } },
              podSelector: { matchLabels: { "app.kubernetes.io/name": "prometheus" } },
            },
          ],
          ports: [{ protocol: "TCP", port: 9500 }],
        },
      ],
    });
    expect(policyOf("longhorn-system", "allow-monitoring", { monitoring: null })).toBeUndefined();
  });
});

describe("the values fit the charts", () => {
  const facts = readMonitoringFacts();
  const FULL = {
    ...{ retentionDays: 30, alertmanager: true, grafana: { host: "grafana.example.org" } },
    storage: { class: "longhorn", size: "20GB" },
  };
  test.each([
    ["the default", {}, {}],
    ["everything", FULL, { longhorn: LONGHORN, ingress: TRAEFIK, flux: FLUX }],
  ])("%s", (_, monitoring, others) => {
    const { release, objects } = monitoringOf(monitoring, others, THREE);
    expect(wrongValues(facts, release.values, monitoringFree)).toEqual([]);
    for (const object of objects) expect(wrongValues(readFacts(object.kind), { spec: object.spec }, [])).toEqual([]);
  });

  test.each([
    ["a key of the chart in another place", { prometheus: { retention: "10d" } }, "prometheus.retention"],
    ["a key of no chart", { grafana: { password: "x" } }, "grafana.password"],
  ])("%s is found", (_, values, at) => {
    expect(wrongValues(facts, values, monitoringFree)).toEqual([`${at}: it has no such key`]);
  });
});
