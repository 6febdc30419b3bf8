import type { Settings } from "../config/schema";
import type { ReleasePlan } from "./charts";
import { type Cluster, type ClusterNode, servers } from "./cluster";
import { FLUX_NAMESPACE } from "./flux";
import { ingressNamespace } from "./ingress";
import { LONGHORN_CLASS, LONGHORN_NAMESPACE, longhornPlacement } from "./longhorn";
import type { ApiObject } from "./object";
import { alerts } from "./render/alerts";
import { dashboard } from "./render/dashboard";
import { GRAFANA_SECRET, monitoringValues } from "./render/monitoring";
import { fluxMonitor, longhornMonitor, monitor, type MonitorPlan, traefikMonitor } from "./render/monitors";
import type { SecretPlan } from "./secrets";

export const MONITORING_NAMESPACE = "monitoring";
export const EXPORTER_NAMESPACE = "node-exporter";

export interface MonitoringPlan {
  readonly namespace: string;
  readonly release: ReleasePlan;
  readonly secrets: readonly SecretPlan[];
  /** Dashboards as JSON, by the name of their ConfigMap. */
  readonly dashboards: Readonly<Record<string, string>>;
  /** Objects of the kinds that the chart installs. */
  readonly objects: readonly ApiObject[];
  /** Prometheus' volume comes from Longhorn. */
  readonly needsLonghorn: boolean;
}

/** The plan of the monitoring; undefined if the config has none. */
export function planMonitoring(settings: Settings, cluster: Cluster): MonitoringPlan | undefined {
  const { monitoring, longhorn } = settings;
  if (monitoring === undefined) return undefined;
  const namespace = MONITORING_NAMESPACE;
  const { chart, grafana, storage } = monitoring;
  const etcd = watchedEtcd(cluster);
  const needsLonghorn = storage?.class === LONGHORN_CLASS && longhorn !== undefined;
  const values = monitoringValues(monitoring, cluster, {
    namespace,
    exporterNamespace: EXPORTER_NAMESPACE,
    etcd,
    placement: needsLonghorn ? longhornPlacement(longhorn, cluster) : undefined,
  });
  const watched = { nodes: cluster.nodes, etcd, longhorn: longhorn !== undefined };
  return {
    namespace,
    release: { name: "kube-prometheus-stack", namespace, chart, values },
    secrets: grafana
      ? [
          {
            name: GRAFANA_SECRET.name,
            data: { [GRAFANA_SECRET.user]: "admin", [GRAFANA_SECRET.password]: { secret: "grafanaPassword" } },
          },
        ]
      : [],
    dashboards: grafana ? { "dashboard-nodes": dashboard(cluster.clusterName, cluster.nodes, watched.longhorn) } : {},
    objects: [...monitors(settings, cluster).map((each) => monitor(each, namespace)), alerts(watched, namespace)],
    needsLonghorn,
  };
}

/** Servers whose etcd is watched. Only several servers have a quorum, and only if they show its metrics. */
export function watchedEtcd(cluster: Cluster): readonly ClusterNode[] {
  const all = servers(cluster);
  return cluster.etcdMetrics && all.length > 1 ? all : [];
}

/** The monitors of the add-ons that the config names. */
function monitors(settings: Settings, cluster: Cluster): MonitorPlan[] {
  const traefik = settings.ingress && ingressNamespace(settings, cluster);
  return [
    ...(traefik === undefined ? [] : [traefikMonitor(traefik)]),
    ...(settings.flux ? [fluxMonitor(FLUX_NAMESPACE)] : []),
    ...(settings.longhorn ? [longhornMonitor(LONGHORN_NAMESPACE)] : []),
  ];
}
