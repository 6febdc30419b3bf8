import { ConfigError } from "../../config/problems";
import type { Settings } from "../config/schema";
import type { Cluster } from "./cluster";
import { type FluxPlan, planFlux, type SecretName } from "./flux";
import { type NamespacePlan, planNamespaces } from "./namespaces";
import type { ReleasePlan } from "./charts";
import { type IngressPlan, planIngress } from "./ingress";
import { type AccessPlan, planAccess } from "./render/roles";
import { checkFluxOn } from "./rules/flux";
import { checkIngressOn } from "./rules/ingress";
import { checkNamespacesOn } from "./rules/namespaces";

/** Everything that the program makes. Components read it and decide nothing. */
export interface AddonsPlan {
  readonly cluster: Cluster;
  /** How long the program waits for a resource, in seconds. */
  readonly timeout: number;
  readonly namespaces: readonly NamespacePlan[];
  readonly access: AccessPlan | undefined;
  readonly ingress: IngressPlan | undefined;
  readonly flux: FluxPlan | undefined;
}

/**
 * What the settings mean on this cluster. Pure.
 * @param secrets names of the secret config that is set
 * @throws ConfigError with everything that this cluster cannot have
 */
export function planAddons(settings: Settings, cluster: Cluster, secrets: readonly SecretName[]): AddonsPlan {
  const problems = [
    ...checkFluxOn(settings, cluster),
    ...checkIngressOn(settings, cluster),
    ...checkNamespacesOn(settings, cluster),
  ];
  if (problems.length > 0) throw new ConfigError(problems);
  return {
    cluster,
    timeout: settings.timeout,
    namespaces: planNamespaces(settings, cluster),
    access: settings.access && planAccess(settings.access),
    ingress: planIngress(settings, cluster),
    flux: planFlux(settings, cluster, secrets.includes("gitToken")),
  };
}

/** All Helm releases of a plan. */
export function releasesOf({ ingress, flux }: AddonsPlan): ReleasePlan[] {
  return [...(ingress?.kind === "release" ? [ingress.release] : []), ...(flux?.release ? [flux.release] : [])];
}
