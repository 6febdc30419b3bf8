import { Provider } from "@pulumi/kubernetes/provider";
import type * as pulumi from "@pulumi/pulumi";

import type { Cluster } from "../plan/cluster";

/**
 * The connection to the cluster.
 * - `clusterIdentifier`: the cluster's id decides whether this is another cluster. Without it, another address of the API would
 *   replace every object.
 * - ConfigMaps and Secrets change in place; by default the provider replaces them.
 * - `deleteUnreachable` is not set: a `destroy` or a `refresh` while the API cannot be reached would forget objects that still
 *   exist in a living cluster. If the cluster is gone, a person confirms it with `PULUMI_K8S_DELETE_UNREACHABLE`
 *   (docs/addons.md).
 * @param kubeconfig must be a secret: it has a private key
 */
export function clusterProvider(cluster: Cluster, kubeconfig: pulumi.Output<string>): Provider {
  return new Provider(cluster.clusterName, {
    kubeconfig,
    clusterIdentifier: cluster.clusterId,
    enableServerSideApply: true,
    enableConfigMapMutable: true,
    enableSecretMutable: true,
  });
}
