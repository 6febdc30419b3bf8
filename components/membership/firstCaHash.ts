import * as pulumi from "@pulumi/pulumi";

import { k3sBound } from "../../plan/bounds";
import { clusterStepName, hookName } from "../../plan/steps";
import { runOnHost } from "../../remote/hostTask";
import { known } from "../../remote/known";
import type { ClusterAccess } from "../rollout/awaitReadyAgain";
import { CA_HASH } from "../readBack";

export interface FirstCaHash {
  /** For the first server's K3s: asks from then on, without holding it up. */
  readonly ask: pulumi.ResourceHook;
  /**
   * The hash, as soon as it is known from either.
   * @param recorded the output of the step that records it, after K3s' steps of all servers
   */
  or(recorded: pulumi.Output<string>): pulumi.Output<string>;
}

/**
 * The hash of a new cluster's CA, as soon as one server answers. That is some seconds before the server's own step ends, because
 * the step also waits for the kubelet. The program itself asks, not a resource: a waiting resource uses one of the engine's
 * parallel operations, so with `--parallel 1` both would wait for ever.
 */
export function firstCaHash({ plan, host, clusterId }: ClusterAccess): FirstCaHash {
  let resolve: (hash: string) => void;
  const answer = new Promise<string>((settle) => (resolve = settle));
  const step = clusterStepName(plan.name, "ca-hash");
  const question = {
    task: "ca-hash",
    action: "look",
    step,
    title: CA_HASH,
    lock: step,
    boundSeconds: k3sBound(plan),
    args: { TIMEOUT: plan.k3s.startTimeoutSeconds },
    inputs: { CLUSTER_ID: clusterId },
  } as const;
  return {
    ask: new pulumi.ResourceHook(hookName(plan.name, "first-ca-hash"), () => {
      // If no server answers, its own step says why.
      runOnHost(host, question).then(resolve, () => {});
    }),
    or: (recorded) => (pulumi.runtime.isDryRun() ? recorded : pulumi.output(Promise.race([answer, known(recorded)]))),
  };
}
