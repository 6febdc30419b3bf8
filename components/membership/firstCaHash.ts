import * as pulumi from "@pulumi/pulumi";

import { k3sBound } from "../../plan/bounds";
import { clusterStepName } from "../../plan/steps";
import { runOnHost } from "../../remote/hostTask";
import { known } from "../../remote/known";
import type { ClusterContext } from "../ClusterContext";
import type { K3sNode } from "../K3sNode";
import { CA_HASH } from "../readBack";

interface FirstCaHash {
  readonly servers: readonly K3sNode[];
  /** The hash as the state records it: known when K3s' steps of all servers have ended. */
  readonly recorded: pulumi.Output<string>;
}

/**
 * The hash of a new cluster's CA, as soon as one server answers. That is some seconds before the server's own step ends, because
 * the step also waits for the kubelet. The program itself asks, not a resource: a waiting resource uses one of the engine's
 * parallel operations, so with `--parallel 1` both would wait for ever.
 */
export function firstCaHash(
  { plan, host, clusterId }: ClusterContext,
  { servers, recorded }: FirstCaHash,
): pulumi.Output<string> {
  if (pulumi.runtime.isDryRun()) return recorded;
  const step = clusterStepName(plan.name, "ca-hash");
  const ask = (): Promise<string> =>
    runOnHost(host, {
      task: "ca-hash",
      action: "look",
      step,
      title: CA_HASH,
      lock: step,
      boundSeconds: k3sBound(plan),
      args: { TIMEOUT: plan.k3s.startTimeoutSeconds },
      inputs: { CLUSTER_ID: clusterId },
    });
  // K3s' first step starts when its files exist. If no server answers, that step itself says why.
  const begun = pulumi.output(servers[0]!.files.urn);
  return begun.apply(() => Promise.race([known(recorded), ask().catch(() => known(recorded))]));
}
