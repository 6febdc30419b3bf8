import type { ApiObject } from "../object";

/** A target of Prometheus in another add-on: the port and path for a monitor. */
export interface MonitorPlan {
  readonly name: string;
  readonly kind: "PodMonitor" | "ServiceMonitor";
  /** The namespace of the pods or services. */
  readonly namespace: string;
  readonly selector: Readonly<Record<string, unknown>>;
  /** The name of the port. */
  readonly port: string;
}

/** A monitor of prometheus-operator. It is in the namespace of the monitoring, whose chart installs the kind. */
export function monitor({ name, kind, namespace, selector, port }: MonitorPlan, own: string): ApiObject {
  return {
    apiVersion: "monitoring.coreos.com/v1",
    kind,
    metadata: { name, namespace: own },
    spec: {
      namespaceSelector: { matchNames: [namespace] },
      selector,
      [kind === "PodMonitor" ? "podMetricsEndpoints" : "endpoints"]: [{ port }],
    },
  };
}

/** Traefik's entry point for metrics (chart 41.3.0: ports.metrics). K3s' own Traefik comes from the same chart. */
export const traefikMonitor = (namespace: string): MonitorPlan => ({
  ...{ name: "traefik", kind: "PodMonitor", namespace, port: "metrics" },
  selector: { matchLabels: { "app.kubernetes.io/name": "traefik" } },
});

/** Flux' controllers (their manifests and the chart flux2: port http-prom). */
export const fluxMonitor = (namespace: string): MonitorPlan => ({
  ...{ name: "flux", kind: "PodMonitor", namespace, port: "http-prom" },
  selector: {
    matchExpressions: [{ key: "app", operator: "In", values: ["source-controller", "kustomize-controller"] }],
  },
});

/** Longhorn's managers, one on each node (chart 1.12: services.yaml). Each reports the volumes that it owns. */
export const longhornMonitor = (namespace: string): MonitorPlan => ({
  ...{ name: "longhorn", kind: "ServiceMonitor", namespace, port: "manager" },
  selector: { matchLabels: { app: "longhorn-manager" } },
});
