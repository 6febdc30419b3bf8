import { setTimeout as sleep } from "node:timers/promises";
import * as pulumi from "@pulumi/pulumi";

import { describeFailure, isTrying } from "../plan/fluxFailure";
import type { ApiObject } from "../plan/object";
import type { KubernetesApi } from "./kubernetesApi";

/** The plural of each kind in the API's paths. */
const PLURALS: Readonly<Record<string, string>> = { GitRepository: "gitrepositories", Kustomization: "kustomizations" };

/** For how many seconds to wait until Flux has finished a try and reports its result. */
const PATIENCE = 20;

/**
 * Prints Flux' own message about an object that did not become ready in time. Pulumi's own error is only `timed out waiting for
 * the condition`, and the terminal no longer shows the provider's messages when it ends.
 * @param api undefined if the program has no access of its own: it then prints only the next command
 */
export function fluxFailure(api: KubernetesApi | undefined): pulumi.ErrorHook {
  return new pulumi.ErrorHook("flux-failure", async ({ newInputs }) => {
    // A deletion has no new inputs, and does not wait for a condition.
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
