import type { ClusterNode } from "../cluster";
import type { ApiObject } from "../object";
import { ETCD_JOB, K3S_JOB, NODE_JOB } from "./monitoring";

interface Alert {
  readonly alert: string;
  /** In PromQL; a result is an alert. */
  readonly expr: string;
  readonly for: string;
  readonly severity: "warning" | "critical";
  readonly summary: string;
  /** What to do. */
  readonly description: string;
}

export interface Watched {
  readonly nodes: readonly ClusterNode[];
  /** Servers whose etcd is watched. */
  readonly etcd: readonly ClusterNode[];
  readonly longhorn: boolean;
}

/** K3s renews a certificate if it starts in the certificate's last 120 days (k3s, pkg/daemons/config: CertificateRenewDays). */
const CERTIFICATE_DAYS = 30;

/** Alerts that need the plan and that the chart's own rules do not have, as a PrometheusRule. */
export function alerts({ nodes, etcd, longhorn }: Watched, namespace: string): ApiObject {
  const rules = [...nodeAlerts(nodes), certificates, ...quorum(etcd), ...(longhorn ? volumes : [])];
  return {
    apiVersion: "monitoring.coreos.com/v1",
    kind: "PrometheusRule",
    metadata: { name: "proxmox-k3s", namespace },
    spec: { groups: [{ name: "proxmox-k3s", rules: rules.map(ruleOf) }] },
  };
}

const ruleOf = ({ severity, summary, description, ...rule }: Alert) => ({
  ...rule,
  labels: { severity },
  annotations: { summary, description },
});

/** A node of the plan that does not answer, or that Prometheus does not know. */
function nodeAlerts(nodes: readonly ClusterNode[]): Alert[] {
  const missing = nodes.map(({ name }) => `absent(up{job="${NODE_JOB}",node="${name}"})`);
  return [
    {
      alert: "NodeDown",
      // The policies of its namespace do not let Prometheus connect to a node that this plan does not know yet.
      expr: `up{job="${NODE_JOB}",node=~"${nodes.map(({ name }) => name).join("|")}"} == 0`,
      ...{ for: "5m", severity: "critical" },
      summary: "The node {{ $labels.node }} does not answer.",
      description: "`npx proxmox-k3s status` in the cluster's folder says what is wrong with it.",
    },
    {
      alert: "NodeMissing",
      expr: missing.join(" or "),
      ...{ for: "15m", severity: "warning" },
      summary: "The node {{ $labels.node }} is in the plan of the add-ons, but not in the cluster.",
      description:
        "If it was removed on purpose, run `pulumi up` in addons/. If not, `npx proxmox-k3s status` says more.",
    },
  ];
}

const certificates: Alert = {
  alert: "CertificateExpires",
  expr: `min by (instance, subject) (k3s_certificate_expiration_seconds{job="${K3S_JOB}"}) < ${CERTIFICATE_DAYS * 24 * 3600}`,
  ...{ for: "1h", severity: "warning" },
  summary:
    "A certificate of K3s on {{ $labels.instance }} expires in {{ $value | humanizeDuration }}: {{ $labels.subject }}.",
  description: "Restart K3s on the node, which renews its certificates. Rotate the certificate of a CA by hand.",
};

/** If only as many members answer as the quorum needs, the next failure stops the cluster. */
function quorum(etcd: readonly ClusterNode[]): Alert[] {
  if (etcd.length < 3) return [];
  const least = Math.floor(etcd.length / 2) + 1;
  return [
    {
      alert: "EtcdHasNoSpareServer",
      expr: `(count(up{job="${ETCD_JOB}"} == 1) or vector(0)) <= ${least}`,
      ...{ for: "5m", severity: "critical" },
      summary: `{{ $value }} of ${etcd.length} servers answer, and etcd needs ${least}: the next failure stops the cluster.`,
      description: "`npx proxmox-k3s status` in the cluster's folder names the server that is missing.",
    },
  ];
}

const volumes: readonly Alert[] = [
  {
    alert: "LonghornVolumeDegraded",
    expr: `max by (volume, pvc_namespace, pvc) (longhorn_volume_robustness{state="degraded"}) == 1`,
    ...{ for: "15m", severity: "warning" },
    summary:
      "The volume {{ $labels.volume }} ({{ $labels.pvc_namespace }}/{{ $labels.pvc }}) has fewer copies than it should have.",
    description:
      "Longhorn creates a new copy if a node has room. `kubectl -n longhorn-system get nodes.longhorn.io` shows the nodes.",
  },
  {
    alert: "LonghornVolumeFaulted",
    expr: `max by (volume, pvc_namespace, pvc) (longhorn_volume_robustness{state="faulted"}) == 1`,
    ...{ for: "2m", severity: "critical" },
    summary: "The volume {{ $labels.volume }} ({{ $labels.pvc_namespace }}/{{ $labels.pvc }}) has no healthy copy.",
    description: "Bring back the node with its last copy, or restore a backup (docs/storage.md).",
  },
];
