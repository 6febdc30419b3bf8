import type * as pulumi from "@pulumi/pulumi";

import type { FluxPlan } from "../plan/flux";
import type { ApiObject } from "../plan/object";
import { fluxFailure } from "./fluxFailure";
import type { KubernetesApi } from "./kubernetesApi";
import { makeObject } from "./object";
import { makeRelease, type ReleaseContext } from "./release";
import { makeSecrets, type Secrets } from "./secretObjects";

/**
 * Flux, its secrets, its source, and what it applies: first for the whole cluster, then for the nodes, because their objects may
 * be in namespaces from the cluster's folder. Deletions run in the reverse order, so the controllers can still prune what a
 * Kustomization has applied.
 */
export function makeFlux(
  plan: FluxPlan,
  secrets: Secrets,
  api: KubernetesApi | undefined,
  context: ReleaseContext,
): void {
  const { parent, dependsOn = [] } = context;
  const made = makeSecrets("flux", plan.namespace, plan.secrets, secrets, context);
  const controllers = plan.release ? [makeRelease(plan.release, context)] : [];
  const first = [...dependsOn, ...controllers, ...made];
  const hooks = { onError: [fluxFailure(api)] };
  const make = (name: string, object: ApiObject, after: readonly pulumi.Resource[]) =>
    makeObject(`flux-${name}`, object, { parent, hooks, dependsOn: [...first, ...after] });
  const source = make("source", plan.source, []);
  const cluster = make(plan.cluster.metadata.name, plan.cluster, [source]);
  for (const each of plan.nodes) make(each.metadata.name, each, [source, cluster]);
}
