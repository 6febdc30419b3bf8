/** The state of a cluster, read by `remote/askCluster.ts`. */

/** A server of the cluster, as the Proxmox host sees it. */
export interface ServerSight {
  readonly vmId: number;
  readonly name: string;
  /** Its own API answers. With etcd, this needs a majority. */
  readonly answers: boolean;
}

export interface CertificateSight {
  /** The server whose disk has the certificate. */
  readonly server: string;
  readonly use: "admin" | "serving";
  /** Undefined if the file has no certificate. */
  readonly ends: Date | undefined;
}

/** A Node of Kubernetes. The machine itself may write it, so values without the right form are left out. */
export interface NodeSight {
  readonly name: string;
  readonly isReady: boolean;
  readonly version: string | undefined;
  readonly isCordoned: boolean;
  readonly labels: Readonly<Record<string, string>>;
  /** In the form of kubectl. */
  readonly taints: readonly string[];
  readonly addresses: readonly string[];
  /** It is a member of etcd. */
  readonly isMember: boolean;
}

/** The state of the cluster, from `scripts/host/status.sh`. */
export interface ClusterSight {
  /** In the order in which they are asked. The first one that answers lists the Nodes. */
  readonly servers: readonly ServerSight[];
  /** Servers whose disk holds the data of a member of etcd. */
  readonly withEtcd: readonly string[];
  readonly certificates: readonly CertificateSight[];
  /**
   * Whether K3s runs, for each running guest of ours that has K3s. A guest whose K3s is starting or failing is not in the list.
   */
  readonly k3s: readonly { readonly node: string; readonly runs: boolean }[];
  /** Nodes that run without the latest rules of their firewall. */
  readonly oldFirewall: readonly string[];
  /** Undefined if no server answers. */
  readonly nodes: readonly NodeSight[] | undefined;
  /** Nodes whose removal by this program has begun: they are cordoned, or get no replicas of Longhorn. */
  readonly leaving: readonly string[];
}
