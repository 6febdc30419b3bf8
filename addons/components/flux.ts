import { CustomResource } from "@pulumi/kubernetes/apiextensions";
import { Secret } from "@pulumi/kubernetes/core/v1";
import type * as pulumi from "@pulumi/pulumi";

import type { FluxPlan, SecretName } from "../plan/flux";
import type { FluxObject } from "../plan/render/flux";
import { makeRelease, type ReleaseContext } from "./release";

export type Secrets = Readonly<Partial<Record<SecretName, pulumi.Output<string>>>>;

/**
 * Flux, its secrets, its source, and what it applies. Deletions run the other way, so the controllers still prune what a
 * Kustomization has applied.
 */
export function makeFlux(plan: FluxPlan, secrets: Secrets, context: ReleaseContext): void {
  const { parent, dependsOn = [] } = context;
  const { namespace } = plan;
  const made = plan.secrets.map(({ name, data }) => {
    const stringData = Object.fromEntries(
      Object.entries(data).map(([key, value]) => [key, typeof value === "string" ? value : secrets[value.secret]!]),
    );
    return new Secret(`flux-${name}`, { metadata: { name, namespace }, stringData }, { parent, dependsOn });
  });
  const object = (name: string, { apiVersion, kind, metadata, spec }: FluxObject, after: pulumi.Resource[]) =>
    new CustomResource(name, { apiVersion, kind, metadata: { ...metadata }, spec }, { parent, dependsOn: after });
  const controllers = plan.release ? [makeRelease(plan.release, context)] : [];
  const source = object("flux-source", plan.source, [...dependsOn, ...controllers, ...made]);
  for (const each of plan.kustomizations) object(`flux-${each.metadata.name}`, each, [source, ...controllers, ...made]);
}
