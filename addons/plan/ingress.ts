import type { Settings } from "../config/schema";
import type { Cluster } from "./cluster";
import type { ReleasePlan } from "./charts";
import { traefikValues } from "./render/traefik";

/** How Traefik is configured. */
export type IngressPlan = {
  /** The namespace of Traefik's pods. */
  readonly namespace: string;
  readonly nodePorts: { readonly http: number; readonly https: number };
} & (
  | { readonly kind: "helmChartConfig"; readonly values: Readonly<Record<string, unknown>> }
  | { readonly kind: "release"; readonly release: ReleasePlan }
);

/** Where K3s installs its own Traefik. */
export const K3S_NAMESPACE = "kube-system";
/** The namespace of a Traefik that the program installs. */
export const TRAEFIK_NAMESPACE = "traefik";

/** The plan of the ingress; undefined if the config has none. */
export function planIngress({ ingress }: Settings, cluster: Cluster): IngressPlan | undefined {
  if (ingress === undefined) return undefined;
  const { nodePorts, chart } = ingress;
  const values = traefikValues(ingress, cluster.nodes);
  // The rules require a chart with `release`, and forbid it otherwise.
  if (chart === undefined) return { kind: "helmChartConfig", namespace: K3S_NAMESPACE, nodePorts, values };
  const namespace = TRAEFIK_NAMESPACE;
  return { kind: "release", namespace, nodePorts, release: { name: "traefik", namespace, chart, values } };
}

/**
 * The namespace of the pods that serve Ingresses: that of the configured Traefik, else that of K3s' own; undefined if there is
 * none.
 */
export function ingressNamespace({ ingress }: Settings, { disabled }: Cluster): string | undefined {
  if (ingress?.traefik === "release") return TRAEFIK_NAMESPACE;
  return disabled.includes("traefik") ? undefined : K3S_NAMESPACE;
}
