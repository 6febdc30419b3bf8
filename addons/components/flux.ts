import type { FluxPlan } from "../plan/flux";
import { makeObject } from "./object";
import { makeRelease, type ReleaseContext } from "./release";
import { makeSecrets, type Secrets } from "./secretObjects";

/**
 * Flux, its secrets, its source, and what it applies: first for the whole cluster, then for the nodes, whose objects may be in namespaces of
 * the cluster's. Deletions run the other way, so the controllers still prune what a Kustomization has applied.
 */
export function makeFlux(plan: FluxPlan, secrets: Secrets, context: ReleaseContext): void {
  const { parent, dependsOn = [] } = context;
  const made = makeSecrets("flux", plan.namespace, plan.secrets, secrets, context);
  const controllers = plan.release ? [makeRelease(plan.release, context)] : [];
  const first = [...dependsOn, ...controllers, ...made];
  const source = makeObject("flux-source", plan.source, { parent, dependsOn: first });
  const { name } = plan.cluster.metadata;
  const cluster = makeObject(`flux-${name}`, plan.cluster, { parent, dependsOn: [...first, source] });
  for (const each of plan.nodes)
    makeObject(`flux-${each.metadata.name}`, each, { parent, dependsOn: [...first, source, cluster] });
}
