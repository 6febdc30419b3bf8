import type { MonitoringSettings } from "../../config/sections/monitoring";
import type { Cluster, ClusterNode } from "../cluster";
import type { Placement } from "./longhorn";

/** The job of K3s' metrics: the chart names the scrape of the kubelet so. */
export const K3S_JOB = "kubelet";
/** The jobs that the chart gives to node-exporter and to etcd. */
export const NODE_JOB = "node-exporter";
export const ETCD_JOB = "kube-etcd";

/** The Secret with Grafana's first user, and its keys. */
export const GRAFANA_SECRET = { name: "grafana-admin", user: "admin-user", password: "admin-password" };

/** What Prometheus may write to the disk of its node. */
const EPHEMERAL_GIB = 5;

export interface MonitoringFacts {
  /** Where Prometheus and its operator run. */
  readonly namespace: string;
  /** Where node-exporter runs. */
  readonly exporterNamespace: string;
  /** Servers whose etcd is asked. */
  readonly etcd: readonly ClusterNode[];
  /** Where Prometheus must run because of its volume; undefined if it may run anywhere. */
  readonly placement: Placement | undefined;
}

/**
 * Values of the chart kube-prometheus-stack 88.
 *
 * All parts of K3s are one process with one set of metrics, which the kubelet's port shows. So that port is asked, and the chart's other
 * monitors of the control plane are off: they would count everything again. The chart's rules and dashboards choose a part by its job;
 * `jobNameOverride` has them look at the one that there is. (It does not rename a scrape: kubelet.jobNameOverride: k3s-server, which
 * the chart proposes, is for clusters that are scraped under that name, and would leave the rules without metrics here.)
 */
export function monitoringValues(
  monitoring: MonitoringSettings,
  { disabled }: Cluster,
  { namespace, exporterNamespace, etcd, placement }: MonitoringFacts,
): Record<string, unknown> {
  const { alertmanager, grafana, retentionDays, storage } = monitoring;
  const ofK3s = { jobNameOverride: K3S_JOB, service: { enabled: false }, serviceMonitor: { enabled: false } };
  return {
    // The operator makes a Service for the kubelets, and nobody deletes it: in kube-system, the default, it outlives the chart.
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
      // It looks at the node itself, which a namespace of another level than privileged does not allow.
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
        // Monitors and rules count in every namespace, whoever made them; by default only those with the label of the release.
        ...Object.fromEntries(SELECTORS.map((selector) => [`${selector}SelectorNilUsesHelmValues`, false])),
      },
    },
    alertmanager: { enabled: alertmanager },
    defaultRules: { disabled: { ...OF_ONE_PROCESS, ...(alertmanager ? {} : WITHOUT_ALERTMANAGER) } },
    grafana: grafana ? grafanaValues(grafana) : { enabled: false },
  };
}

/**
 * Alerts of the chart that tell of an instance of a part of Kubernetes. With one process of all parts, a worker that is down would be
 * told as an API server, a scheduler and two more, each three times; the kubelet's alert and NodeDown tell it once.
 */
const OF_ONE_PROCESS = {
  ...{ KubeAPIInstanceUnreachable: true, KubeControllerManagerInstanceUnreachable: true },
  ...{ KubeSchedulerInstanceUnreachable: true, KubeProxyInstanceUnreachable: true },
};

/** Alerts of the chart that always fire if nobody gets alerts: two to show that they arrive, and one that says that they do not. */
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
    // Nothing about the cluster is sent to the vendor. The version is the chart's.
    "grafana.ini": {
      analytics: { check_for_updates: false, check_for_plugin_updates: false, reporting_enabled: false },
    },
    ...(host === undefined ? {} : { ingress: { enabled: true, hosts: [host] } }),
  };
}
