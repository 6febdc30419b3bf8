import { CustomResource } from "@pulumi/kubernetes/apiextensions";
import type * as pulumi from "@pulumi/pulumi";
import { stringify } from "yaml";

import { type IngressPlan } from "../plan/ingress";
import { makeRelease, type ReleaseContext } from "./release";

/** Configures K3s' Traefik, or installs one. */
export function makeIngress(plan: IngressPlan, context: ReleaseContext): pulumi.Resource {
  if (plan.kind === "release") return makeRelease(plan.release, context);
  return new CustomResource(
    "traefik",
    {
      apiVersion: "helm.cattle.io/v1",
      kind: "HelmChartConfig",
      // K3s gives this config to its chart of the same name.
      metadata: { name: "traefik", namespace: plan.namespace },
      spec: { valuesContent: stringify(plan.values) },
    },
    { parent: context.parent },
  );
}
