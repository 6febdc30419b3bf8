import type { Draft, Settings } from "../config/schema";
import type { PodSecurity } from "../config/sections/namespaces";
import type { Cluster } from "./cluster";
import { FLUX_NAMESPACE } from "./flux";
import { ingressNamespace, TRAEFIK_NAMESPACE } from "./ingress";
import { keepsVolumes, LONGHORN_NAMESPACE } from "./longhorn";
import { type NetworkPolicyPlan, networkPolicies } from "./render/networkPolicies";

/** A namespace that the program makes. */
export interface NamespacePlan {
  readonly name: string;
  /** What the API server enforces. */
  readonly podSecurity: PodSecurity;
  /** NetworkPolicies of all its pods; none for the add-ons' own. */
  readonly policies: readonly NetworkPolicyPlan[];
  /** Pulumi refuses to delete it. */
  readonly protect?: boolean;
}

/** Namespaces that Kubernetes and K3s make themselves. */
export const SYSTEM_NAMESPACES = ["default", "kube-node-lease", "kube-public", "kube-system"] as const;

/** The namespaces of the add-ons, and those that a person named. */
export function planNamespaces(settings: Settings, cluster: Cluster): NamespacePlan[] {
  const ingress = ingressNamespace(settings, cluster);
  const named = Object.entries(settings.namespaces).map(([name, namespace]) => ({
    name,
    podSecurity: namespace.podSecurity,
    policies: networkPolicies(namespace, cluster, ingress),
  }));
  return [...addonNamespaces(settings), ...named];
}

/** Namespaces that the add-ons themselves need. */
export function addonNamespaces({ ingress, flux, longhorn }: Draft): NamespacePlan[] {
  const own = (name: string, podSecurity: PodSecurity): NamespacePlan => ({ name, podSecurity, policies: [] });
  return [
    ...(ingress?.traefik === "release" ? [own(TRAEFIK_NAMESPACE, "baseline")] : []),
    // A Flux that is there already has its namespace.
    ...(flux?.install === "chart" ? [own(FLUX_NAMESPACE, "restricted")] : []),
    // It mounts volumes on the nodes.
    ...(longhorn ? [{ ...own(LONGHORN_NAMESPACE, "privileged"), protect: keepsVolumes(longhorn) }] : []),
  ];
}

/** The labels by which the API server's PodSecurity admission knows a namespace's level (Kubernetes: Pod Security Admission). */
export function podSecurityLabels(level: PodSecurity): Record<string, string> {
  const modes = ["enforce", "audit", "warn"];
  return Object.fromEntries(modes.map((mode) => [`pod-security.kubernetes.io/${mode}`, level]));
}
