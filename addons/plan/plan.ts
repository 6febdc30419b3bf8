import { ConfigError } from "../../config/problems";
import type { Settings } from "../config/schema";
import type { Cluster } from "./cluster";
import { type FluxPlan, planFlux } from "./flux";
import { type MonitoringPlan, planMonitoring } from "./monitoring";
import { type NamespacePlan, planNamespaces } from "./namespaces";
import type { ReleasePlan } from "./charts";
import { type IngressPlan, planIngress } from "./ingress";
import { type LonghornPlan, planLonghorn } from "./longhorn";
import { type AccessPlan, planAccess } from "./render/roles";
import { checkFluxOn } from "./rules/flux";
import { checkIngressOn } from "./rules/ingress";
import { checkLonghornGone, checkLonghornOn } from "./rules/longhorn";
import { checkMonitoringOn, monitoringWarnings } from "./rules/monitoring";
import { checkNamespacesOn } from "./rules/namespaces";
import { checkTailscaleOn } from "./rules/tailscale";
import type { SecretName } from "./secrets";
import type { Standing } from "./standing";
import { planTailscale, type TailscalePlan } from "./tailscale";

/** Everything that the program creates. Components read it and decide nothing. */
export interface AddonsPlan {
  readonly cluster: Cluster;
  /** How long the program waits for a resource, in seconds. */
  readonly timeout: number;
  readonly namespaces: readonly NamespacePlan[];
  readonly access: AccessPlan | undefined;
  readonly ingress: IngressPlan | undefined;
  readonly flux: FluxPlan | undefined;
  readonly longhorn: LonghornPlan | undefined;
  readonly monitoring: MonitoringPlan | undefined;
  readonly tailscale: TailscalePlan | undefined;
  /** What is left out, and why; for the user. */
  readonly warnings: readonly string[];
}

/**
 * The plan of the settings for this cluster. Pure.
 * @param secrets names of the secret config that is set
 * @param standing what was applied last
 * @throws ConfigError with everything that is not possible on this cluster
 */
export function planAddons(
  settings: Settings,
  cluster: Cluster,
  secrets: readonly SecretName[],
  standing: Standing,
): AddonsPlan {
  const problems = [
    ...checkFluxOn(settings, cluster),
    ...checkIngressOn(settings, cluster),
    ...checkLonghornOn(settings, cluster),
    ...checkLonghornGone(settings, standing),
    ...checkMonitoringOn(settings, cluster),
    ...checkTailscaleOn(settings, cluster),
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
    longhorn: planLonghorn(settings, cluster),
    monitoring: planMonitoring(settings, cluster),
    tailscale: planTailscale(settings, cluster),
    warnings: monitoringWarnings(settings, cluster),
  };
}

/** All Helm releases of a plan. */
export function releasesOf({ ingress, flux, longhorn, monitoring }: AddonsPlan): ReleasePlan[] {
  const all = [
    ingress?.kind === "release" ? ingress.release : undefined,
    flux?.release,
    longhorn?.release,
    monitoring?.release,
  ];
  return all.filter((release) => release !== undefined);
}
