import { Deployment } from "@pulumi/kubernetes/apps/v1";
import { Secret, ServiceAccount } from "@pulumi/kubernetes/core/v1";
import { Role, RoleBinding } from "@pulumi/kubernetes/rbac/v1";

import type { TailscalePlan } from "../plan/tailscale";
import type { ReleaseContext } from "./release";
import { makeSecrets, type Secrets } from "./secretObjects";

/** The subnet routers. Each waits until it is in the tailnet. */
export function makeTailscale(plan: TailscalePlan, secrets: Secrets, context: ReleaseContext): void {
  const { parent, dependsOn = [] } = context;
  const { namespace, rules } = plan;
  const metadata = { name: "tailscale", namespace };
  const account = new ServiceAccount("tailscale", { metadata }, { parent, dependsOn });
  const role = new Role("tailscale", { metadata, rules: [...rules] }, { parent, dependsOn });
  const binding = new RoleBinding(
    "tailscale",
    {
      metadata,
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: metadata.name },
      subjects: [{ kind: "ServiceAccount", ...metadata }],
    },
    { parent, dependsOn: [role, account] },
  );
  const auth = makeSecrets("tailscale", namespace, plan.secrets, secrets, context);
  for (const { name, state, spec } of plan.routers) {
    // The data belong to Tailscale: this program sets none, so it changes none.
    const own = new Secret(`tailscale-${state}`, { metadata: { name: state, namespace } }, { parent, dependsOn });
    new Deployment(
      `tailscale-${name}`,
      { metadata: { name, namespace }, spec },
      { parent, dependsOn: [own, binding, ...auth] },
    );
  }
}
