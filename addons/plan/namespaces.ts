import type { Draft, Settings } from "../config/schema";
import type { PodSecurity } from "../config/sections/namespaces";
import type { Cluster } from "./cluster";
import { FLUX_NAMESPACE } from "./flux";
import { ingressNamespace, TRAEFIK_NAMESPACE } from "./ingress";
import { keepsVolumes, LONGHORN_NAMESPACE } from "./longhorn";
import { EXPORTER_NAMESPACE, MONITORING_NAMESPACE } from "./monitoring";
import { longhornPolicies, monitoringPolicies, routerPolicies } from "./render/addonPolicies";
import { type NetworkPolicyPlan, networkPolicies } from "./render/networkPolicies";
import { TAILSCALE_NAMESPACE } from "./tailscale";

/** A namespace that the program creates. */
export interface NamespacePlan {
  readonly name: string;
  /** The level that the API server enforces. */
  readonly podSecurity: PodSecurity;
  /** Its NetworkPolicies. */
  readonly policies: readonly NetworkPolicyPlan[];
  /** Pulumi refuses to delete it. */
  readonly protect?: boolean;
}

/** Namespaces that Kubernetes and K3s create themselves. */
export const SYSTEM_NAMESPACES = ["default", "kube-node-lease", "kube-public", "kube-system"] as const;

/** The namespaces of the add-ons, and those in the config. */
export function planNamespaces(settings: Settings, cluster: Cluster): NamespacePlan[] {
  const ingress = ingressNamespace(settings, cluster);
  const named = Object.entries(settings.namespaces).map(([name, namespace]) => ({
    name,
    podSecurity: namespace.podSecurity,
    policies: networkPolicies(namespace, cluster, ingress),
  }));
  const addons = addonNamespaces(settings).map((own) => ({
    ...own,
    policies: policiesOf(own.name, settings, cluster),
  }));
  return [...addons, ...named];
}

/** The policies of an add-on's namespace; empty if its chart has its own, or if it needs none. */
function policiesOf(namespace: string, settings: Settings, cluster: Cluster): NetworkPolicyPlan[] {
  const { longhorn, monitoring } = settings;
  if (namespace === TAILSCALE_NAMESPACE) return routerPolicies(cluster);
  if (namespace === LONGHORN_NAMESPACE && longhorn?.networkPolicies)
    return longhornPolicies(monitoring && MONITORING_NAMESPACE);
  if (namespace === MONITORING_NAMESPACE && monitoring)
    return monitoringPolicies(monitoring, cluster, ingressNamespace(settings, cluster));
  return [];
}

/** Namespaces that the add-ons themselves need. */
export function addonNamespaces({ ingress, flux, longhorn, monitoring, tailscale }: Draft): NamespacePlan[] {
  const own = (name: string, podSecurity: PodSecurity): NamespacePlan => ({ name, podSecurity, policies: [] });
  return [
    ...(ingress?.traefik === "release" ? [own(TRAEFIK_NAMESPACE, "baseline")] : []),
    // An existing Flux already has its namespace.
    ...(flux?.install === "chart" ? [own(FLUX_NAMESPACE, "restricted")] : []),
    // Longhorn mounts volumes on the nodes.
    ...(longhorn ? [{ ...own(LONGHORN_NAMESPACE, "privileged"), protect: keepsVolumes(longhorn) }] : []),
    // Only node-exporter shares the network and the processes of its node.
    ...(monitoring ? [own(MONITORING_NAMESPACE, "baseline"), own(EXPORTER_NAMESPACE, "privileged")] : []),
    ...(tailscale ? [own(TAILSCALE_NAMESPACE, "restricted")] : []),
  ];
}

/**
 * The labels with which the API server's PodSecurity admission reads a namespace's level (Kubernetes: Pod Security Admission).
 */
export function podSecurityLabels(level: PodSecurity): Record<string, string> {
  const modes = ["enforce", "audit", "warn"];
  return Object.fromEntries(modes.map((mode) => [`pod-security.kubernetes.io/${mode}`, level]));
}
