import type { FluxSettings } from "../../config/sections/flux";
import type { ClusterNode } from "../cluster";
import type { ApiObject } from "../object";

/** The Secret with the age key. */
export const SOPS_SECRET = "sops-age";

/** The name of the source, and of the cluster's Kustomization. */
const CLUSTER = "cluster";

const seconds = (count: number): string => `${count}s`;

/**
 * How soon Flux retries after a failure. By default it waits for `interval`. A short failure, for example a namespace that
 * another Kustomization is about to create, would then delay `pulumi up` by ten minutes.
 */
const RETRY_SECONDS = 30;

/**
 * `pulumi up` waits until Flux has done its part. It cannot wait for suspended objects, because Flux ignores them.
 * (pulumi.com/waitFor, pulumi.com/skipAwait of the Kubernetes provider)
 */
const awaited = (isSuspended = false): Record<string, string> =>
  isSuspended ? { "pulumi.com/skipAwait": "true" } : { "pulumi.com/waitFor": "condition=Ready" };

/** @param secret the Secret with which source-controller logs in */
export function gitRepository({ git }: FluxSettings, namespace: string, secret: string | undefined): ApiObject {
  return {
    apiVersion: "source.toolkit.fluxcd.io/v1",
    kind: "GitRepository",
    metadata: { name: CLUSTER, namespace, annotations: awaited() },
    spec: {
      url: git.url,
      ref: { branch: git.branch },
      interval: seconds(git.interval),
      ...(secret === undefined ? {} : { secretRef: { name: secret } }),
    },
  };
}

/** What Flux applies for the whole cluster. */
export function kustomization(flux: FluxSettings, namespace: string): ApiObject {
  return kustomizationOf(flux, namespace, { name: CLUSTER, path: flux.path });
}

type FluxWithNodes = FluxSettings & { readonly nodes: NonNullable<FluxSettings["nodes"]> };

/** What Flux applies for a node. It exists as long as the node is in the plan, and its objects are deleted with it. */
export function nodeKustomization(flux: FluxWithNodes, namespace: string, node: ClusterNode): ApiObject {
  const { name, address, pool, role } = node;
  const { path, suspended } = flux.nodes;
  return kustomizationOf(flux, namespace, {
    name: `node-${name}`,
    path: path.replaceAll("{name}", name).replaceAll("{pool}", pool),
    isSuspended: suspended.includes(name),
    spec: {
      postBuild: { substitute: { node_name: name, node_address: address, node_pool: pool, node_role: role } },
    },
  });
}

interface Parts {
  readonly name: string;
  readonly path: string;
  readonly isSuspended?: boolean;
  readonly spec?: Readonly<Record<string, unknown>>;
}

function kustomizationOf(flux: FluxSettings, namespace: string, { name, path, isSuspended, spec }: Parts): ApiObject {
  return {
    apiVersion: "kustomize.toolkit.fluxcd.io/v1",
    kind: "Kustomization",
    metadata: { name, namespace, annotations: awaited(isSuspended) },
    spec: {
      sourceRef: { kind: "GitRepository", name: CLUSTER },
      path,
      interval: seconds(flux.interval),
      retryInterval: seconds(Math.min(flux.interval, RETRY_SECONDS)),
      // Objects that are removed from the repository are deleted from the cluster, and a deletion waits until all of them are
      // gone.
      prune: true,
      deletionPolicy: "WaitForTermination",
      ...(isSuspended ? { suspend: true } : {}),
      ...(flux.sops ? { decryption: { provider: "sops", secretRef: { name: SOPS_SECRET } } } : {}),
      ...spec,
    },
  };
}
