import type { MonitoringSettings } from "../../config/sections/monitoring";
import type { Cluster } from "../cluster";
import { inNamespace, labelled, type NetworkPolicyPlan, networkPolicies } from "./networkPolicies";

const TCP = (port: number) => ({ protocol: "TCP", port });
/** Of prometheus-operator, which checks rules for the API, and of Prometheus, which `status` asks by the API's proxy. */
const OPERATOR_PORT = 10_250;
const PROMETHEUS_PORT = 9090;
/** At which Longhorn's managers have their API and their metrics. */
const LONGHORN_PORT = 9500;

/**
 * The policies of the monitoring: it may ask every pod and every node, nothing outside, and nobody may ask it, but the ingress and the
 * API server. That one comes from its node with an address of the pod network, which Kubernetes gives to the node when it joins, so no plan
 * knows it: these two ports have no list of sources.
 * @param ingress the namespace of Traefik
 */
export function monitoringPolicies(
  { alertmanager, grafana }: MonitoringSettings,
  cluster: Cluster,
  ingress: string | undefined,
): NetworkPolicyPlan[] {
  const everyone = [cluster.podCidr, ...cluster.nodes.map(({ address }) => `${address}/32`)].map((cidr) => ({ cidr }));
  const allow = {
    ...{ from: [], to: [], destinations: everyone, api: true },
    ingress: grafana?.host !== undefined,
    // Alerts go to mail servers and chats.
    outside: alertmanager,
  };
  return [
    ...networkPolicies({ podSecurity: "baseline", isolated: true, allow }, cluster, ingress),
    { name: "allow-api-server", ingress: [{ ports: [TCP(OPERATOR_PORT), TCP(PROMETHEUS_PORT)] }] },
  ];
}

/**
 * Beside the chart's own policies (1.12: restrictInternalTraffic), which let only Longhorn's pods ask the managers. They say nothing about its page,
 * which hands every request on to the managers, and neither asks for a password.
 * @param monitoring the namespace of Prometheus; undefined if there is none
 */
export const longhornPolicies = (monitoring: string | undefined): NetworkPolicyPlan[] => [
  { name: "deny-page", pods: { app: "longhorn-ui" }, ingress: [] },
  ...(monitoring === undefined
    ? []
    : [
        {
          name: "allow-monitoring",
          pods: { app: "longhorn-manager" },
          ingress: [
            {
              from: [{ ...inNamespace(monitoring), ...labelled("app.kubernetes.io/name", "prometheus") }],
              ports: [TCP(LONGHORN_PORT)],
            },
          ],
        },
      ]),
];

/**
 * Of the subnet routers: to the pods, the API and the rest of the tailnet, which may be anywhere. Nobody in the cluster asks them
 * anything. A pod of another namespace answers only if its own policies let the routers in.
 */
export function routerPolicies(cluster: Cluster): NetworkPolicyPlan[] {
  const allow = {
    ...{ ingress: false, from: [], to: [], outside: true, api: true },
    destinations: [{ cidr: cluster.podCidr }],
  };
  return networkPolicies({ podSecurity: "restricted", isolated: true, allow }, cluster, undefined);
}
