import { Namespace } from "@pulumi/kubernetes/core/v1";
import type * as pulumi from "@pulumi/pulumi";

import { type NamespacePlan, podSecurityLabels } from "../plan/namespaces";

/** Makes the namespaces, by name. What runs in one takes its name from the resource, and so waits for it. */
export function makeNamespaces(
  plans: readonly NamespacePlan[],
  parent: pulumi.ComponentResource,
): ReadonlyMap<string, Namespace> {
  const made = plans.map(({ name, podSecurity }) => {
    const metadata = { name, labels: podSecurityLabels(podSecurity) };
    return [name, new Namespace(name, { metadata }, { parent })] as const;
  });
  return new Map(made);
}
