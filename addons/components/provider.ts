import { Provider } from "@pulumi/kubernetes/provider";
import type * as pulumi from "@pulumi/pulumi";

import type { Cluster } from "../plan/cluster";

/**
 * The connection to the cluster.
 * - `clusterIdentifier`: the cluster's id decides whether this is another cluster. Without it, another address of the API would
 *   replace every object.
 * - ConfigMaps and Secrets change in place; by default the provider replaces them.
 * - `deleteUnreachable`: if the cluster is gone, `destroy` forgets its objects. The provider does not do this for a Helm release.
 * @param kubeconfig must be a secret: it has a private key
 */
export function clusterProvider(cluster: Cluster, kubeconfig: pulumi.Output<string>): Provider {
  return new Provider(cluster.clusterName, {
    kubeconfig,
    clusterIdentifier: cluster.clusterId,
    enableServerSideApply: true,
    enableConfigMapMutable: true,
    enableSecretMutable: true,
    deleteUnreachable: true,
  });
}
