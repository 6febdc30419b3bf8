import { Secret } from "@pulumi/kubernetes/core/v1";
import * as pulumi from "@pulumi/pulumi";

import type { SecretName, SecretPlan } from "../plan/secrets";
import type { ReleaseContext } from "./release";

/** The secret config that is set. */
export type Secrets = Readonly<Partial<Record<SecretName, pulumi.Output<string>>>>;

/**
 * In the form that the API server keeps. With `stringData`, server-side apply never removes a key, so a token would stay in the
 * cluster for ever.
 */
const encoded = (value: pulumi.Input<string>): pulumi.Output<string> =>
  pulumi.output(value).apply((text) => Buffer.from(text).toString("base64"));

/**
 * Creates Secrets.
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
    const values = Object.entries(data).map(
      ([key, value]) => [key, encoded(typeof value === "string" ? value : secrets[value.secret]!)] as const,
    );
    const args = { metadata: { name, namespace }, data: Object.fromEntries(values) };
    return new Secret(`${prefix}-${name}`, args, { parent, dependsOn });
  });
}
