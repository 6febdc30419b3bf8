import { setTimeout as sleep } from "node:timers/promises";
import * as pulumi from "@pulumi/pulumi";

import { describeFailure, isTrying } from "../plan/fluxFailure";
import type { ApiObject } from "../plan/object";
import type { KubernetesApi } from "./kubernetesApi";

/** What the API calls many of a kind. */
const PLURALS: Readonly<Record<string, string>> = { GitRepository: "gitrepositories", Kustomization: "kustomizations" };

/** How long a try of Flux' may go on, in seconds, until its result is not waited for. */
const PATIENCE = 20;

/**
 * Says what Flux says of an object that did not become ready in time. Pulumi's own error is only `timed out waiting for the condition`, and what
 * the provider shows meanwhile is gone from a terminal when it ends.
 * @param api undefined if the program has no access of its own: then only the next command is said
 */
export function fluxFailure(api: KubernetesApi | undefined): pulumi.ErrorHook {
  return new pulumi.ErrorHook("flux-failure", async ({ newInputs }) => {
    // A deletion has none: what it waits for is no condition.
    if (newInputs === undefined) return false;
    const { apiVersion, kind, metadata } = newInputs as Omit<ApiObject, "spec">;
    const { namespace, name } = metadata;
    const path = `/apis/${apiVersion}/namespaces/${namespace}/${PLURALS[kind]}/${name}`;
    let object = await api?.find(path);
    for (let second = 0; second < PATIENCE && isTrying(object); second++) {
      await sleep(1000);
      object = await api?.find(path);
    }
    await pulumi.log.error(describeFailure({ kind, namespace, name }, object));
    return false;
  });
}
