import type { Problem } from "../../../config/problems";
import type { Draft } from "../../config/schema";
import type { Cluster } from "../cluster";
import { isSsh } from "../flux";

/** Rules between the values of `flux`. */
export function checkFlux({ flux }: Draft): Problem[] {
  if (flux === undefined) return [];
  const problems: Problem[] = [];
  if (flux.install === "chart" && flux.chart === undefined)
    problems.push({
      path: "addons.flux.chart",
      problem: "is missing, but install: chart needs it",
      hint: "for example { source: oci://ghcr.io/fluxcd-community/charts/flux2, version: 2.18.3, digest: sha256:… }",
    });
  if (flux.install === "none" && flux.chart !== undefined)
    problems.push({
      path: "addons.flux.chart",
      problem: "does nothing: install is none",
      hint: "remove it, or set install: chart",
    });
  if (isSsh(flux) && flux.git.knownHosts === undefined)
    problems.push({
      path: "addons.flux.git.knownHosts",
      problem: "is missing: Flux connects by ssh only to a server with known host keys",
      hint: "set the lines of known_hosts that the Git server publishes",
    });
  if (!isSsh(flux) && flux.git.knownHosts !== undefined)
    problems.push({
      path: "addons.flux.git.knownHosts",
      problem: "does nothing: the URL is not an ssh URL",
      hint: "remove it, or use an ssh URL",
    });
  if (isSsh(flux) && flux.git.ca !== undefined)
    problems.push({
      path: "addons.flux.git.ca",
      problem: "does nothing: an ssh server has no certificate",
      hint: "remove it; knownHosts identifies the server",
    });
  return problems;
}

/** Settings that are not possible on this cluster. */
export function checkFluxOn({ flux }: Draft, { nodes }: Cluster): Problem[] {
  const names = nodes.map(({ name }) => name);
  return (flux?.nodes?.suspended ?? [])
    .map((name, at) => ({ name, at }))
    .filter(({ name }) => !names.includes(name))
    .map(({ name, at }) => ({
      path: `addons.flux.nodes.suspended[${at}]`,
      problem: `${name} is not a node of the cluster`,
      hint: `the cluster has ${names.join(", ")}`,
    }));
}
