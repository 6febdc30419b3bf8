import type { Problem } from "../../../config/problems";
import type { Settings } from "../../config/schema";
import { type Cluster, servers } from "../cluster";
import { ingressNamespace } from "../ingress";
import { covers } from "../networks";

const PATH = "addons.monitoring";
/** The port of node-exporter on the node itself. */
const EXPORTER_PORT = 9100;
/** The StorageClass that K3s brings. */
const LOCAL_CLASS = "local-path";

/** Settings that are not possible on this cluster. */
export function checkMonitoringOn(settings: Settings, cluster: Cluster): Problem[] {
  const { monitoring } = settings;
  if (monitoring === undefined) return [];
  const problems = checkFirewall(cluster);
  if (monitoring.storage?.class === LOCAL_CLASS && cluster.disabled.includes("local-storage"))
    problems.push({
      path: `${PATH}.storage.class`,
      problem: "is K3s' local-path, which the cluster's config disables with local-storage",
      hint: "name another class, for example longhorn",
    });
  if (monitoring.grafana?.host !== undefined && ingressNamespace(settings, cluster) === undefined)
    problems.push({
      path: `${PATH}.grafana.host`,
      problem: "has no ingress controller: the cluster's config disables traefik, and ingress installs none",
      hint: "set ingress.traefik: release; or remove it, and use kubectl port-forward",
    });
  return problems;
}

/**
 * Prometheus connects to each node at its own address. A pod connects to its own node with the pod's address, and to other nodes
 * with its node's address.
 */
function checkFirewall({ firewall, nodes, podCidr }: Cluster): Problem[] {
  if (!firewall.enabled) return [];
  const open = firewall.extra
    .filter(({ protocol, ports }) => protocol === "tcp" && includes(ports, EXPORTER_PORT))
    .flatMap(({ networks }) => networks);
  const shut = [podCidr, ...nodes.map(({ address }) => `${address}/32`)].filter((source) => !covers(open, source));
  if (shut.length === 0) return [];
  return [
    {
      path: PATH,
      problem: `cannot reach the nodes: their firewall closes port ${EXPORTER_PORT} to ${shut.join(", ")}`,
      hint: `set firewall.extra: { node-exporter: { ports: ${EXPORTER_PORT}, networks: [the network of the nodes, ${podCidr}] } } in the cluster's config, and run \`pulumi up\` there`,
    },
  ];
}

/** @param ports `9100` or `9100-9110` */
function includes(ports: string, port: number): boolean {
  const [from = NaN, to = from] = ports.split("-").map(Number);
  return from <= port && port <= to;
}

/** What is left out, and why. */
export function monitoringWarnings({ monitoring }: Settings, cluster: Cluster): string[] {
  if (monitoring === undefined || cluster.etcdMetrics || servers(cluster).length === 1) return [];
  return [
    "monitoring: the quorum of etcd is not watched, because the servers do not show etcd's metrics (set k3s.serverConfig: { etcd-expose-metrics: true } in the cluster's config, which restarts the servers in turns, and run `pulumi up` there)",
  ];
}
