import * as pulumi from "@pulumi/pulumi";

import { describeFailure } from "../plan/fluxFailure";
import type { ApiObject } from "../plan/object";
import { getObject } from "./kubeApi";

/** What the API calls many of a kind. */
const PLURALS: Readonly<Record<string, string>> = { GitRepository: "gitrepositories", Kustomization: "kustomizations" };

/**
 * Says what Flux says of an object that did not become ready in time. Pulumi's own error is only `timed out waiting for the condition`, and what
 * the provider shows meanwhile is gone from a terminal when it ends.
 * @param kubeconfig must be a secret: it has a private key
 */
export function fluxFailure(kubeconfig: pulumi.Output<string>): pulumi.ErrorHook {
  return new pulumi.ErrorHook("flux-failure", async ({ newInputs }) => {
    // A deletion has none: what it waits for is no condition.
    if (newInputs === undefined) return false;
    const { apiVersion, kind, metadata } = newInputs as Omit<ApiObject, "spec">;
    const { namespace, name } = metadata;
    const config = await new Promise<string>((resolve) => kubeconfig.apply(resolve));
    const object = await getObject(config, `/apis/${apiVersion}/namespaces/${namespace}/${PLURALS[kind]}/${name}`);
    await pulumi.log.error(describeFailure({ kind, namespace, name }, object));
    return false;
  });
}
