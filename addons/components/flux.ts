import type { FluxPlan } from "../plan/flux";
import { makeObject } from "./object";
import { makeRelease, type ReleaseContext } from "./release";
import { makeSecrets, type Secrets } from "./secretObjects";

/**
 * Flux, its secrets, its source, and what it applies. Deletions run the other way, so the controllers still prune what a
 * Kustomization has applied.
 */
export function makeFlux(plan: FluxPlan, secrets: Secrets, context: ReleaseContext): void {
  const { parent, dependsOn = [] } = context;
  const made = makeSecrets("flux", plan.namespace, plan.secrets, secrets, context);
  const controllers = plan.release ? [makeRelease(plan.release, context)] : [];
  const source = makeObject("flux-source", plan.source, { parent, dependsOn: [...dependsOn, ...controllers, ...made] });
  for (const each of plan.kustomizations)
    makeObject(`flux-${each.metadata.name}`, each, { parent, dependsOn: [source, ...controllers, ...made] });
}
