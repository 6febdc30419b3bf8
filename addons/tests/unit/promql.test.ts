import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { stringify } from "yaml";

import { ensureDebianTool } from "../../../lab/support/debianTool";
import { planMonitoring } from "../../plan/monitoring";
import { loadSettings } from "../../plan/load";
import { clusterOf } from "../support/config";

/** Prometheus' own tool checks the alerts and the dashboard. */

const CHART = { source: "charts/x.tgz", version: "1.12.1", digest: `sha256:${"ab".repeat(32)}` };
const server = (index: number) => ({
  ...{ role: "server", kind: "vm", pool: "master", index, vmId: 100 + index, address: `192.168.2.${20 + index}` },
  ...{ proxmoxNode: "pve", labels: {}, taints: [] },
});
const plan = planMonitoring(
  loadSettings({
    cluster: "organization/proxmox-k3s/homelab",
    longhorn: { chart: CHART, replicas: 1 },
    monitoring: { chart: CHART, grafana: {} },
  }),
  clusterOf({ etcdMetrics: true, nodes: { "k3s-master-2": server(2), "k3s-master-3": server(3) } }),
)!;
const { spec: rules } = plan.objects.find(({ kind }) => kind === "PrometheusRule")!;
const NODES = ["k3s-master", "k3s-master-2", "k3s-master-3", "k3s-storage-01", "k3s-worker-01"];

/** The expressions of the dashboard, with a value for Grafana's variable. */
function dashboardQueries(): string[] {
  const { panels } = JSON.parse(plan.dashboards["dashboard-nodes"]!) as { panels: { targets?: { expr: string }[] }[] };
  const queries = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
  return queries.map((expr) => expr.replaceAll("$__rate_interval", "5m"));
}

interface Series {
  readonly series: string;
  readonly values: string;
}
const up = (job: string, label: string, name: string, value: 0 | 1): Series => ({
  series: `up{job="${job}",${label}="${name}"}`,
  values: `${value}x120`,
});
const nodesUp = (down?: string): Series[] =>
  NODES.map((name) => up("node-exporter", "node", name, name === down ? 0 : 1));
const etcdUp = (count: number): Series[] =>
  Array.from({ length: 3 }, (_, at) => up("kube-etcd", "instance", `192.168.2.2${at}:2381`, at < count ? 1 : 0));

/** The metrics for two hours, and the alert that they must cause. */
const SEEN: readonly [string, readonly Series[], string, object | undefined, string?][] = [
  ["a node that answers", nodesUp(), "NodeDown", undefined],
  [
    "a node that does not",
    nodesUp("k3s-worker-01"),
    "NodeDown",
    { severity: "critical", job: "node-exporter", node: "k3s-worker-01" },
    "The node k3s-worker-01 does not answer.",
  ],
  ["a node that does not, but is known", nodesUp("k3s-worker-01"), "NodeMissing", undefined],
  [
    "a new node that Prometheus may not scrape before the next up",
    [...nodesUp(), up("node-exporter", "node", "k3s-worker-02", 0)],
    "NodeDown",
    undefined,
  ],
  [
    "a node that nobody knows",
    nodesUp().slice(0, 4),
    "NodeMissing",
    { severity: "warning", job: "node-exporter", node: "k3s-worker-01" },
    "The node k3s-worker-01 is in the plan of the add-ons, but not in the cluster.",
  ],
  ["three servers", etcdUp(3), "EtcdHasNoSpareServer", undefined],
  [
    "two of three servers",
    etcdUp(2),
    "EtcdHasNoSpareServer",
    { severity: "critical" },
    "2 of 3 servers answer, and etcd needs 2: the next failure stops the cluster.",
  ],
  [
    "no server",
    etcdUp(0),
    "EtcdHasNoSpareServer",
    { severity: "critical" },
    "0 of 3 servers answer, and etcd needs 2: the next failure stops the cluster.",
  ],
  [
    "a certificate that ends in 20 days",
    [
      {
        series:
          'k3s_certificate_expiration_seconds{job="kubelet",instance="192.168.2.20:10250",subject="CN=kube-proxy"}',
        values: `${20 * 86_400}x120`,
      },
    ],
    "CertificateExpires",
    { severity: "warning", instance: "192.168.2.20:10250", subject: "CN=kube-proxy" },
    "A certificate of K3s on 192.168.2.20:10250 expires in 20d 0h 0m 0s: CN=kube-proxy.",
  ],
  [
    "a volume with one copy too few",
    [
      {
        series: 'longhorn_volume_robustness{volume="pvc-1",pvc="data",pvc_namespace="apps",state="degraded",node="a"}',
        values: "1x120",
      },
      {
        series: 'longhorn_volume_robustness{volume="pvc-1",pvc="data",pvc_namespace="apps",state="healthy",node="a"}',
        values: "0x120",
      },
    ],
    "LonghornVolumeDegraded",
    { severity: "warning", volume: "pvc-1", pvc: "data", pvc_namespace: "apps" },
    "The volume pvc-1 (apps/data) has fewer copies than it should have.",
  ],
];

test("there is a query for each panel", () => expect(dashboardQueries().length).toBe(3 * 4 + 2));

describe("promtool", () => {
  let [folder, tool] = ["", ""];
  beforeAll(async () => {
    tool = await ensureDebianTool("prometheus", "promtool", () => {});
    folder = fs.mkdtempSync(path.join(os.tmpdir(), "promql-"));
    fs.writeFileSync(path.join(folder, "rules.yaml"), stringify(rules));
  }, 600_000);
  afterAll(() => fs.rmSync(folder, { recursive: true }));
  const run = (...args: string[]) => execFileSync(tool, args, { cwd: folder, encoding: "utf8" });

  test("accepts the form of the alerts, and every query of the dashboard", () => {
    const recorded = dashboardQueries().map((expr, at) => ({ record: `panel:${at}`, expr }));
    fs.writeFileSync(
      path.join(folder, "queries.yaml"),
      stringify({ groups: [{ name: "dashboard", rules: recorded }] }),
    );
    expect(run("check", "rules", "rules.yaml", "queries.yaml")).toContain(`SUCCESS: ${recorded.length} rules found`);
  });

  test.each(SEEN)("%s", (...[, input_series, alertname, exp_labels, summary]) => {
    const rule = (rules["groups"] as { rules: { alert: string; annotations: object }[] }[])[0]!.rules.find(
      ({ alert }) => alert === alertname,
    )!;
    const alerts = exp_labels ? [{ exp_labels, exp_annotations: { ...rule.annotations, summary } }] : [];
    const tests = [
      { interval: "1m", input_series, alert_rule_test: [{ eval_time: "100m", alertname, exp_alerts: alerts }] },
    ];
    fs.writeFileSync(path.join(folder, "test.yaml"), stringify({ rule_files: ["rules.yaml"], tests }));
    expect(run("test", "rules", "test.yaml")).toContain("SUCCESS");
  });
});
