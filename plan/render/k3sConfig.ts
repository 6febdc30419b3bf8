import { stringify } from "yaml";

import { endpointUrl } from "../endpoint";
import type { ClusterPlan, K3sConfigValue, NodePlan } from "../model";
import type { NodeRecord } from "../record";
import { formatTaint } from "../taints";
import { markedOptions } from "./birthMarks";

/** The token files on a node; `scripts/node/k3s-files.sh` writes them. */
const TOKEN_FILE = "/etc/rancher/k3s/token";
const AGENT_TOKEN_FILE = "/etc/rancher/k3s/agent-token";

/** Options of K3s, by K3s' own names. */
export type K3sOptions = Readonly<Record<string, K3sConfigValue>>;

/**
 * The node's `/etc/rancher/k3s/config.yaml`. It has all options of K3s; no option is a flag or an environment variable. So a
 * preview shows all of them, and the Node's annotations contain no secret. Keys are sorted: equal plans give equal text.
 * @param former what the state records of the node; undefined for a new one
 */
export function k3sConfig(node: NodePlan, plan: ClusterPlan, former?: NodeRecord): string {
  return stringify(k3sOptions(node, plan, former), { sortMapEntries: true, lineWidth: 0 }).trimEnd();
}

/** The content of that file. A list without values is left out. */
export function k3sOptions(node: NodePlan, plan: ClusterPlan, former?: NodeRecord): K3sOptions {
  const set = Object.entries(allOptions(node, plan, former)).filter(
    ([, value]) => !Array.isArray(value) || value.length > 0,
  );
  return Object.fromEntries(set);
}

function allOptions(node: NodePlan, plan: ClusterPlan, former: NodeRecord | undefined): K3sOptions {
  const { extraServerConfig, extraAgentConfig } = plan.k3s;
  const extra = node.role === "server" ? extraServerConfig : extraAgentConfig;
  const common: Record<string, K3sConfigValue> = {
    "node-name": node.name,
    "node-ip": node.address,
    "token-file": TOKEN_FILE,
    // K3s sets labels at each start. It sets taints only at the first registration, so that no pod starts before `ready` runs.
    ...markedOptions(
      node,
      plan,
      {
        kubelet: [extra["kubelet-arg"] ?? []].flat().map(String),
        labels: Object.entries(node.labels).map(([key, value]) => `${key}=${value}`),
      },
      former,
    ),
    "node-taint": node.taints.map(formatTaint),
  };
  switch (node.role) {
    case "server":
      return {
        ...extra,
        ...common,
        "agent-token-file": AGENT_TOKEN_FILE,
        ...(plan.k3s.datastore === "etcd" ? { "cluster-init": true } : {}),
        ...(plan.k3s.registries?.embedded ? { "embedded-registry": true } : {}),
        // Only the server's own names, so that a new server does not restart the others: K3s itself adds the addresses of all
        // servers.
        "tls-san": [node.address, node.name, ...plan.k3s.tlsSans],
        "write-kubeconfig-mode": plan.k3s.kubeconfigMode.padStart(4, "0"),
        "cluster-cidr": plan.network.podCidr,
        "service-cidr": plan.network.serviceCidr,
        disable: plan.k3s.disable,
      };
    case "agent":
      return { ...extra, ...common, server: endpointUrl(plan.endpoint) };
    default: {
      const exhaustive: never = node.role;
      throw new Error(`unknown role ${String(exhaustive)}`);
    }
  }
}
