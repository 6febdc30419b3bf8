import * as pulumi from "@pulumi/pulumi";

import { clusterStepName } from "../plan/steps";
import { RemoteScript } from "../remote/RemoteScript";
import type { ClusterContext } from "./ClusterContext";
import type { K3sNode } from "./K3sNode";

interface ReadBackArgs {
  readonly task: "ca-hash" | "kubeconfig";
  /** What is read, in a few words. */
  readonly title: string;
  readonly context: ClusterContext;
  readonly servers: readonly K3sNode[];
  /** @default false */
  readonly secretOutput?: boolean;
}

/** Title of the task `ca-hash`. */
export const CA_HASH = "the CA hash that joining nodes check";

/**
 * A value that is read from a running server. It has its own command, because any changed input would make the value unknown in a
 * preview.
 */
export function readBack(
  name: string,
  { task, title, context, servers, secretOutput = false }: ReadBackArgs,
  parent: pulumi.Resource,
): pulumi.Output<string> {
  const step = clusterStepName(name, task);
  const command = new RemoteScript(
    step,
    {
      task,
      title,
      connection: context.host,
      lock: `${task}-${context.plan.name}`,
      boundSeconds: 120,
      args: { TIMEOUT: 60, ...(task === "kubeconfig" ? { REPAIRS: context.repairs(step) } : {}) },
      inputs: { CLUSTER_ID: context.clusterId },
      secretOutput,
      // As long as there is only one server, a new machine for it means a new CA.
      triggers: servers.slice(0, 1).map((server) => server.machine.creation),
    },
    context.scriptOptions({
      parent,
      // Not their `ready`, which takes some seconds more.
      dependsOn: servers.map((server) => server.k3s),
    }),
  );
  return command.answer;
}
