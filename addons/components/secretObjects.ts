import { Secret } from "@pulumi/kubernetes/core/v1";
import type * as pulumi from "@pulumi/pulumi";

import type { SecretName, SecretPlan } from "../plan/secrets";
import type { ReleaseContext } from "./release";

/** The secret config that is set. */
export type Secrets = Readonly<Partial<Record<SecretName, pulumi.Output<string>>>>;

/**
 * Makes Secrets.
 * @param prefix of the resources' names
 */
export function makeSecrets(
  prefix: string,
  namespace: string,
  plans: readonly SecretPlan[],
  secrets: Secrets,
  { parent, dependsOn = [] }: ReleaseContext,
): Secret[] {
  return plans.map(({ name, data }) => {
    const stringData = Object.fromEntries(
      Object.entries(data).map(([key, value]) => [key, typeof value === "string" ? value : secrets[value.secret]!]),
    );
    return new Secret(`${prefix}-${name}`, { metadata: { name, namespace }, stringData }, { parent, dependsOn });
  });
}
