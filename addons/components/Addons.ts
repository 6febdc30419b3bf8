import type { Provider } from "@pulumi/kubernetes/provider";
import * as pulumi from "@pulumi/pulumi";

import type { AddonsPlan } from "../plan/plan";
import { makeAccess } from "./access";
import { objectDefaults } from "./defaults";
import { makeFlux, type Secrets } from "./flux";
import { makeIngress } from "./ingress";
import { makeNamespaces } from "./namespaces";
import { makeRelease } from "./release";

export interface AddonsArgs {
  readonly plan: AddonsPlan;
  readonly provider: Provider;
  readonly secrets: Secrets;
}

/** All add-ons of one cluster. Order: the namespaces; then each add-on waits for its own namespace, and for nothing else. */
export class Addons extends pulumi.ComponentResource {
  constructor(name: string, { plan, provider, secrets }: AddonsArgs) {
    super("proxmox-k3s:addons:Addons", name, {}, { provider, transformations: [objectDefaults(plan.timeout)] });
    const namespaces = makeNamespaces(plan.namespaces, this);
    const context = (namespace: string) => {
      const own = namespaces.get(namespace);
      return { timeout: plan.timeout, parent: this, dependsOn: own ? [own] : [] };
    };
    if (plan.access) makeAccess(plan.access, this);
    if (plan.flux) makeFlux(plan.flux, secrets, context(plan.flux.namespace));
    if (plan.ingress) makeIngress(plan.ingress, context(plan.ingress.namespace));
    if (plan.longhorn) makeRelease(plan.longhorn.release, context(plan.longhorn.namespace));
    this.registerOutputs({});
  }
}
