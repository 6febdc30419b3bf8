import type { MonitoringSettings } from "../../config/sections/monitoring";
import type { Cluster } from "../cluster";
import { inNamespace, labelled, type NetworkPolicyPlan, networkPolicies } from "./networkPolicies";

const TCP = (port: number) => ({ protocol: "TCP", port });
/**
 * The ports of prometheus-operator, which checks rules for the API, and of Prometheus, which `status` queries through the API's
 * proxy.
 */
const OPERATOR_PORT = 10_250;
const PROMETHEUS_PORT = 9090;
/** The port of Longhorn's managers for their API and their metrics. */
const LONGHORN_PORT = 9500;

/**
 * The policies of the monitoring. It may connect to every pod and every node, but not outside. Only the ingress and the API
 * server may connect to it. The API server connects with an address of the pod network that Kubernetes gives to its node when the
 * node joins. No plan knows this address, so these two ports have no list of sources.
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
    // Alerts go to mail servers and chat services.
    outside: alertmanager,
  };
  return [
    ...networkPolicies({ podSecurity: "baseline", isolated: true, allow }, cluster, ingress),
    { name: "allow-api-server", ingress: [{ ports: [TCP(OPERATOR_PORT), TCP(PROMETHEUS_PORT)] }] },
  ];
}

/**
 * In addition to the chart's own policies (1.12: restrictInternalTraffic), which let only Longhorn's pods connect to the
 * managers. They do not cover Longhorn's page, which forwards every request to the managers; neither has a password.
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
 * The policies of the subnet routers. They may connect to the pods, the API and the rest of the tailnet, which may be anywhere.
 * Nothing in the cluster may connect to them. A pod of another namespace is reachable only if its own policies allow the routers.
 */
export function routerPolicies(cluster: Cluster): NetworkPolicyPlan[] {
  const allow = {
    ...{ ingress: false, from: [], to: [], outside: true, api: true },
    destinations: [{ cidr: cluster.podCidr }],
  };
  return networkPolicies({ podSecurity: "restricted", isolated: true, allow }, cluster, undefined);
}
