import * as semver from "semver";

import type { Problem } from "../../../config/problems";
import type { Draft } from "../../config/schema";
import type { Cluster } from "../cluster";

/** The oldest release of K3s that is known to have a Traefik chart with the values of version 40: it has chart 40.1.4. */
const CHART_40_SINCE = "1.36.3";

/** Rules between the values of `ingress`. */
export function checkIngress({ ingress }: Draft): Problem[] {
  if (ingress === undefined) return [];
  const problems: Problem[] = [];
  const { traefik, chart, nodePorts } = ingress;
  if (traefik === "release" && chart === undefined)
    problems.push({
      path: "addons.ingress.chart",
      problem: "is missing, but traefik: release needs it",
      hint: "for example { source: oci://ghcr.io/traefik/helm/traefik, version: 41.3.0, digest: sha256:… }",
    });
  if (traefik === "helmChartConfig" && chart !== undefined)
    problems.push({
      path: "addons.ingress.chart",
      problem: "does nothing: K3s brings the chart of its own Traefik",
      hint: "remove it, or set traefik: release",
    });
  if (nodePorts.http === nodePorts.https)
    problems.push({
      path: "addons.ingress.nodePorts.https",
      problem: `is the port of http, ${nodePorts.http}`,
      hint: "choose another one from 30000 to 32767",
    });
  return problems;
}

/** Settings that are not possible on this cluster. */
export function checkIngressOn({ ingress }: Draft, { disabled, version }: Cluster): Problem[] {
  if (ingress === undefined) return [];
  const problems: Problem[] = [];
  const path = "addons.ingress.traefik";
  const hasOwn = !disabled.includes("traefik");
  if (ingress.traefik === "helmChartConfig" && !hasOwn)
    problems.push({
      path,
      problem: "has nothing to configure: the cluster's config disables traefik",
      hint: "set release",
    });
  else if (ingress.traefik === "helmChartConfig" && semver.lt(semver.coerce(version) ?? "0.0.0", CHART_40_SINCE))
    problems.push({
      path,
      problem: `needs K3s v${CHART_40_SINCE} or newer, not ${version}: the Traefik of older releases ignores these values`,
      hint: "upgrade K3s; or set disable: [traefik] in the cluster's config, and release here",
    });
  if (ingress.traefik === "release" && hasOwn)
    problems.push({
      path,
      problem: "would be a second Traefik in addition to that of K3s",
      hint: "set cluster.k3s.disable: [traefik] in the cluster's config and run `pulumi up` there; or set helmChartConfig",
    });
  if (ingress.loadBalancer && disabled.includes("servicelb"))
    problems.push({
      path: "addons.ingress.loadBalancer",
      problem: "has no load balancer: the cluster's config disables servicelb",
      hint: "set false; the node ports work without it",
    });
  return problems;
}
