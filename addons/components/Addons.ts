import type { Provider } from "@pulumi/kubernetes/provider";
import * as pulumi from "@pulumi/pulumi";

import { EXPORTER_NAMESPACE } from "../plan/monitoring";
import type { AddonsPlan } from "../plan/plan";
import { makeAccess } from "./access";
import { objectDefaults } from "./defaults";
import type { KubernetesApi } from "./kubernetesApi";
import { makeFlux } from "./flux";
import { makeIngress } from "./ingress";
import { makeMonitoring } from "./monitoring";
import { makeNamespaces } from "./namespaces";
import { makeRelease } from "./release";
import type { Secrets } from "./secretObjects";
import { makeTailscale } from "./tailscale";

export interface AddonsArgs {
  readonly plan: AddonsPlan;
  readonly provider: Provider;
  readonly secrets: Secrets;
  /** The cluster's API, which can say why something failed; undefined if the program has no access of its own. */
  readonly api: KubernetesApi | undefined;
}

/**
 * All add-ons of one cluster. Order: the namespaces; then each add-on waits for its own namespaces, and for another add-on only if it
 * needs its volumes.
 */
export class Addons extends pulumi.ComponentResource {
  constructor(name: string, { plan, provider, secrets, api }: AddonsArgs) {
    super("proxmox-k3s:addons:Addons", name, {}, { provider, transformations: [objectDefaults(plan.timeout)] });
    const namespaces = makeNamespaces(plan.namespaces, this);
    const context = (namespace: string) => {
      const own = namespaces.get(namespace);
      return { timeout: plan.timeout, parent: this, dependsOn: own ? [own] : [] };
    };
    if (plan.access) makeAccess(plan.access, this);
    if (plan.flux) makeFlux(plan.flux, secrets, api, context(plan.flux.namespace));
    if (plan.ingress) makeIngress(plan.ingress, context(plan.ingress.namespace));
    const longhorn = plan.longhorn && makeRelease(plan.longhorn.release, context(plan.longhorn.namespace));
    if (plan.monitoring) {
      const own = context(plan.monitoring.namespace);
      const volumes = plan.monitoring.needsLonghorn && longhorn ? [longhorn] : [];
      const exporter = namespaces.get(EXPORTER_NAMESPACE);
      const dependsOn = [...own.dependsOn, ...(exporter ? [exporter] : []), ...volumes];
      makeMonitoring(plan.monitoring, secrets, { ...own, dependsOn });
    }
    if (plan.tailscale) makeTailscale(plan.tailscale, secrets, context(plan.tailscale.namespace));
    this.registerOutputs({});
  }
}
