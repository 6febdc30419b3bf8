import { Namespace } from "@pulumi/kubernetes/core/v1";
import { NetworkPolicy } from "@pulumi/kubernetes/networking/v1";
import type * as pulumi from "@pulumi/pulumi";

import { type NamespacePlan, podSecurityLabels } from "../plan/namespaces";

/**
 * Creates the namespaces with their policies. Returns the namespaces by name, because whatever runs in one has to wait for it.
 */
export function makeNamespaces(
  plans: readonly NamespacePlan[],
  parent: pulumi.ComponentResource,
): ReadonlyMap<string, Namespace> {
  return new Map(plans.map((plan) => [plan.name, makeNamespace(plan, parent)]));
}

function makeNamespace(plan: NamespacePlan, parent: pulumi.ComponentResource): Namespace {
  const { name, podSecurity, policies, protect = false } = plan;
  const labels = podSecurityLabels(podSecurity);
  const namespace = new Namespace(name, { metadata: { name, labels } }, { parent, protect });
  for (const { name: policy, pods, ...rules } of policies) {
    // A policy denies only the directions that it names.
    const policyTypes = [...("ingress" in rules ? ["Ingress"] : []), ...("egress" in rules ? ["Egress"] : [])];
    new NetworkPolicy(
      `${name}-${policy}`,
      {
        metadata: { name: policy, namespace: name },
        spec: { podSelector: pods ? { matchLabels: { ...pods } } : {}, policyTypes, ...rules },
      },
      { parent, dependsOn: [namespace] },
    );
  }
  return namespace;
}
