import { API_PORT } from "./endpoint";
import { type ClusterPlan, exposesEtcdMetrics, type K3sConfigValue } from "./model";

/** A group of sources. `pods` are those of the node itself; `services` are `firewall.nodePorts`. */
export type Source = "admins" | "servers" | "nodes" | "pods" | "services" | { readonly networks: readonly string[] };

/** A door in the packet filter of the nodes: who may reach which port of which nodes, and why. */
export interface Door {
  readonly from: Source;
  readonly to: "nodes" | "servers" | "agents";
  readonly protocol: "tcp" | "udp" | "icmp";
  /** `6443`, `2379-2380`; for ICMP the type. */
  readonly ports: readonly string[];
  readonly why: string;
  /** kube-proxy or a CNI plugin may forward it to a pod. So `ports` are those that the packet had at first. */
  readonly forwarded?: true;
}

/** A door that the program knows. The plan decides whether it is open. */
interface KnownDoor extends Omit<Door, "ports"> {
  /** The ports with K3s' defaults, for the docs. */
  readonly ports: readonly string[];
  readonly portsIn?: (plan: ClusterPlan) => readonly string[];
  /** Absent if it is always open. */
  readonly when?: { readonly words: string; readonly holds: (plan: ClusterPlan) => boolean };
}

/** kube-apiserver's own range for NodePorts. */
const NODE_PORTS = "30000-32767";

/** The ports of a cluster. This is the only list: the rules, docs/firewall.md and the tests are made from it. */
export const DOORS: readonly KnownDoor[] = [
  { from: "admins", to: "nodes", protocol: "tcp", ports: ["22"], why: "SSH" },
  { from: "admins", to: "servers", protocol: "tcp", ports: [`${API_PORT}`], why: "Kubernetes API" },
  { from: "nodes", to: "servers", protocol: "tcp", ports: [`${API_PORT}`], why: "Kubernetes API and K3s supervisor" },
  { from: "pods", to: "servers", protocol: "tcp", ports: [`${API_PORT}`], why: "Kubernetes API" },
  {
    ...{ from: "servers", to: "servers", protocol: "tcp", ports: ["2379-2380"], why: "etcd" },
    when: { words: "`k3s.datastore` is `etcd`", holds: ({ k3s }) => k3s.datastore === "etcd" },
  },
  ...(["nodes", "pods"] as const).map((from): KnownDoor => ({
    ...{ from, to: "servers", protocol: "tcp", ports: ["2381"], why: "etcd, metrics" },
    when: { words: "`etcd-expose-metrics: true` in `k3s.serverConfig`", holds: exposesEtcdMetrics },
  })),
  {
    ...{ from: "nodes", to: "nodes", protocol: "udp", ports: ["8472"], why: "pod network, VXLAN" },
    when: { words: "`flannel-backend` is `vxlan`, the default", holds: (plan) => backendOf(plan) === "vxlan" },
  },
  {
    ...{ from: "nodes", to: "nodes", protocol: "udp", ports: ["51820"], why: "pod network, WireGuard" },
    when: { words: "`flannel-backend` is `wireguard-native`", holds: (plan) => backendOf(plan) === "wireguard-native" },
  },
  { from: "nodes", to: "nodes", protocol: "tcp", ports: ["10250"], why: "kubelet" },
  { from: "pods", to: "nodes", protocol: "tcp", ports: ["10250"], why: "kubelet" },
  {
    ...{ from: "nodes", to: "servers", protocol: "tcp", ports: ["10255"], why: "kubelet, read-only" },
    portsIn: ({ k3s }) => readOnlyPort(k3s.extraServerConfig),
    when: {
      words: "`kubelet-arg: read-only-port=10255` in `k3s.serverConfig`",
      holds: ({ k3s }) => readOnlyPort(k3s.extraServerConfig).length > 0,
    },
  },
  {
    ...{ from: "nodes", to: "agents", protocol: "tcp", ports: ["10255"], why: "kubelet, read-only" },
    portsIn: ({ k3s }) => readOnlyPort(k3s.extraAgentConfig),
    when: {
      words: "`kubelet-arg: read-only-port=10255` in `k3s.agentConfig`",
      holds: ({ k3s }) => readOnlyPort(k3s.extraAgentConfig).length > 0,
    },
  },
  {
    ...{ from: "nodes", to: "nodes", protocol: "tcp", ports: ["5001", `${API_PORT}`], why: "embedded registry" },
    when: {
      words: "`k3s.embeddedRegistry` is `true`",
      holds: ({ k3s }) => k3s.registries?.embedded === true,
    },
  },
  {
    ...{ from: "admins", to: "nodes", protocol: "tcp", ports: ["8080"], why: "progress of the onboarding" },
    when: { words: "`onboarding.http` is `true`", holds: ({ onboarding }) => onboarding.http },
  },
  // Nodes too: a pod of another node arrives with that node's address (docs/decisions/0018).
  ...(["tcp", "udp"] as const).flatMap((protocol): KnownDoor[] =>
    (["services", "nodes", "pods"] as const).map((from) => ({
      ...{ from, to: "nodes", protocol, why: "services", forwarded: true },
      ports: ["80", "443", NODE_PORTS],
      portsIn: (plan) => ["80", "443", nodePortRange(plan)],
    })),
  ),
  ...(["admins", "nodes", "pods"] as const).map((from): KnownDoor => {
    return { from, to: "nodes", protocol: "icmp", ports: ["echo-request"], why: "ping" };
  }),
];

/** All open doors of a plan, those from the config last; none if the firewall is off. */
export function doorsOf(plan: ClusterPlan): Door[] {
  if (plan.firewall === undefined) return [];
  const known = DOORS.filter(({ when }) => when?.holds(plan) ?? true).map(({ portsIn, when: _, ...door }): Door => ({
    ...door,
    ports: portsIn?.(plan) ?? door.ports,
  }));
  const extra = plan.firewall.extra.map(({ name, protocol, ports, networks }): Door => ({
    ...{ from: { networks }, to: "nodes", protocol, ports: [ports], why: `extra ${name}`, forwarded: true },
  }));
  return [...known, ...extra];
}

/** K3s' flannel backends whose ports and interfaces are known. */
export type Backend = "vxlan" | "host-gw" | "wireguard-native";

export const BACKENDS: readonly Backend[] = ["vxlan", "host-gw", "wireguard-native"];

/** The flannel backend. The rules refuse a plan with another backend. */
export const backendOf = ({ k3s }: Pick<ClusterPlan, "k3s">): Backend =>
  (k3s.extraServerConfig["flannel-backend"] ?? "vxlan") as Backend;

/** The interface on which packets of other nodes' pods arrive; undefined if it is the node's own interface. */
export const tunnelOf = (plan: ClusterPlan): string | undefined =>
  ({ vxlan: "flannel.1", "wireguard-native": "flannel-wg", "host-gw": undefined })[backendOf(plan)];

const nodePortRange = ({ k3s }: ClusterPlan): string =>
  String(k3s.extraServerConfig["service-node-port-range"] ?? NODE_PORTS);

/** The kubelet's port without authentication, which is off by default. */
function readOnlyPort(options: Readonly<Record<string, K3sConfigValue>>): string[] {
  const values = [options["kubelet-arg"] ?? []].flat().map(String);
  const ports = values.flatMap((value) => /^(?:--)?read-only-port=([1-9]\d{0,4})$/.exec(value)?.[1] ?? []);
  return ports.slice(-1);
}
