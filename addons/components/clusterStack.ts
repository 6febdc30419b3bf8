import * as pulumi from "@pulumi/pulumi";

import { type Cluster, OUTPUT_NAMES, readCluster } from "../plan/cluster";
import { KubernetesApi } from "./kubernetesApi";

export interface ClusterStack {
  readonly cluster: Cluster;
  /** A secret. */
  readonly kubeconfig: pulumi.Output<string>;
  /** The cluster's API, for an `up`; undefined if the kubeconfig has another form than K3s'. */
  readonly api: KubernetesApi | undefined;
}

/**
 * Reads the outputs of the cluster's stack. They are in the state, so a preview has them too; no request goes to the cluster.
 * @throws ConfigError if outputs are missing or have another shape
 */
export async function readClusterStack(name: string): Promise<ClusterStack> {
  const stack = new pulumi.StackReference(name);
  const details = await Promise.all(OUTPUT_NAMES.map((output) => stack.getOutputDetails(output)));
  const values = details.map(
    ({ value, secretValue }, at) => [OUTPUT_NAMES[at]!, (value ?? secretValue) as unknown] as const,
  );
  const outputs = Object.fromEntries(values);
  const cluster = readCluster(name, outputs);
  const kubeconfig = outputs["kubeconfig"] as string;
  return { cluster, kubeconfig: pulumi.secret(kubeconfig), api: KubernetesApi.of(kubeconfig) };
}
