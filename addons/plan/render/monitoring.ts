import type { MonitoringSettings } from "../../config/sections/monitoring";
import type { Cluster, ClusterNode } from "../cluster";
import type { Placement } from "./longhorn";

/** The job of K3s' metrics: the chart's name for the scrape of the kubelet. */
export const K3S_JOB = "kubelet";
/** The jobs that the chart gives to node-exporter and to etcd. */
export const NODE_JOB = "node-exporter";
export const ETCD_JOB = "kube-etcd";

/** The Secret with Grafana's first user, and its keys. */
export const GRAFANA_SECRET = { name: "grafana-admin", user: "admin-user", password: "admin-password" };

/** How much Prometheus may write to the disk of its node. */
const EPHEMERAL_GIB = 5;

export interface MonitoringFacts {
  /** Where Prometheus and its operator run. */
  readonly namespace: string;
  /** Where node-exporter runs. */
  readonly exporterNamespace: string;
  /** Servers whose etcd is watched. */
  readonly etcd: readonly ClusterNode[];
  /** Where Prometheus must run because of its volume; undefined if it can run anywhere. */
  readonly placement: Placement | undefined;
}

/**
 * Values of the chart kube-prometheus-stack 88.
 *
 * All parts of K3s are one process with one set of metrics, at the kubelet's port. So Prometheus scrapes that port, and the
 * chart's other monitors of the control plane are off: they would count everything again. The chart's rules and dashboards select
 * a part by its job; `jobNameOverride` makes them use the one existing job. (It does not rename a scrape. The chart proposes
 * kubelet.jobNameOverride: k3s-server for clusters that are scraped under that name; here it would leave the rules without
 * metrics.)
 */
export function monitoringValues(
  monitoring: MonitoringSettings,
  { disabled }: Cluster,
  { namespace, exporterNamespace, etcd, placement }: MonitoringFacts,
): Record<string, unknown> {
  const { alertmanager, grafana, retentionDays, storage } = monitoring;
  const ofK3s = { jobNameOverride: K3S_JOB, service: { enabled: false }, serviceMonitor: { enabled: false } };
  return {
    // The operator creates a Service for the kubelets, and nothing deletes it: in kube-system, the default, it would outlive the
    // chart.
    kubelet: { namespace },
    prometheusOperator: { kubeletService: { namespace } },
    kubeApiServer: { jobNameOverride: K3S_JOB, serviceMonitor: { enabled: false } },
    kubeControllerManager: ofK3s,
    kubeScheduler: ofK3s,
    kubeProxy: ofK3s,
    kubeEtcd: { enabled: etcd.length > 0, endpoints: etcd.map(({ address }) => address) },
    coreDns: { enabled: !disabled.includes("coredns") },
    nodeExporter: { operatingSystems: { aix: { enabled: false }, darwin: { enabled: false } } },
    "prometheus-node-exporter": {
      // It reads the node itself, which only a namespace with the level privileged allows.
      namespaceOverride: exporterNamespace,
      tolerations: [{ operator: "Exists" }],
      prometheus: {
        monitor: { relabelings: [{ sourceLabels: ["__meta_kubernetes_pod_node_name"], targetLabel: "node" }] },
      },
    },
    prometheus: {
      prometheusSpec: {
        retention: `${retentionDays}d`,
        retentionSize: `${storage ? Math.max(1, Math.floor(storage.size * 0.8)) : EPHEMERAL_GIB}GiB`,
        ...(storage ? { storageSpec: volumeOf(storage) } : {}),
        ...(placement
          ? { nodeSelector: { [placement.label.key]: placement.label.value }, tolerations: placement.tolerations }
          : {}),
        // Use the monitors and rules of every namespace, whoever created them; by default only those with the label of the
        // release.
        ...Object.fromEntries(SELECTORS.map((selector) => [`${selector}SelectorNilUsesHelmValues`, false])),
      },
    },
    alertmanager: { enabled: alertmanager },
    defaultRules: { disabled: { ...OF_ONE_PROCESS, ...(alertmanager ? {} : WITHOUT_ALERTMANAGER) } },
    grafana: grafana ? grafanaValues(grafana) : { enabled: false },
  };
}

/**
 * Alerts of the chart about an instance of a part of Kubernetes. Here all parts are one process, so a worker that is down would
 * be reported as an API server, a scheduler and two more, each three times. The kubelet's alert and NodeDown report it once.
 */
const OF_ONE_PROCESS = {
  ...{ KubeAPIInstanceUnreachable: true, KubeControllerManagerInstanceUnreachable: true },
  ...{ KubeSchedulerInstanceUnreachable: true, KubeProxyInstanceUnreachable: true },
};

/**
 * Alerts of the chart that always fire if nobody receives alerts: two to show that alerts arrive, and one to say that they do
 * not.
 */
const WITHOUT_ALERTMANAGER = { Watchdog: true, InfoInhibitor: true, PrometheusNotConnectedToAlertmanagers: true };

const SELECTORS = ["serviceMonitor", "podMonitor", "probe", "rule", "scrapeConfig"];

const volumeOf = ({ class: storageClassName, size }: NonNullable<MonitoringSettings["storage"]>) => ({
  volumeClaimTemplate: {
    spec: { storageClassName, accessModes: ["ReadWriteOnce"], resources: { requests: { storage: `${size}Gi` } } },
  },
});

function grafanaValues({ host }: NonNullable<MonitoringSettings["grafana"]>): Record<string, unknown> {
  return {
    enabled: true,
    admin: {
      existingSecret: GRAFANA_SECRET.name,
      userKey: GRAFANA_SECRET.user,
      passwordKey: GRAFANA_SECRET.password,
    },
    // Nothing about the cluster is sent to the vendor. The chart pins the version.
    "grafana.ini": {
      analytics: { check_for_updates: false, check_for_plugin_updates: false, reporting_enabled: false },
    },
    ...(host === undefined ? {} : { ingress: { enabled: true, hosts: [host] } }),
  };
}
