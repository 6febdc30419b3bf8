/* What a cluster says of itself, read by `remote/askCluster.ts`. */

/** A server of the cluster as the Proxmox host asks it. */
export interface ServerSight {
  readonly vmId: number;
  readonly name: string;
  /** Its own API does, which in etcd takes a majority. */
  readonly answers: boolean;
}

export interface CertificateSight {
  /** Whose disk it is on. */
  readonly server: string;
  readonly use: "admin" | "serving";
  /** Undefined where the file holds no certificate. */
  readonly ends: Date | undefined;
}

/** A Node of Kubernetes. Who runs it may write it: what has not the form that it must have is left out. */
export interface NodeSight {
  readonly name: string;
  readonly isReady: boolean;
  readonly version: string | undefined;
  readonly isCordoned: boolean;
  readonly labels: Readonly<Record<string, string>>;
  /** In kubectl's form. */
  readonly taints: readonly string[];
  readonly addresses: readonly string[];
  /** It names a member of etcd. */
  readonly isMember: boolean;
}

/** What the cluster says of itself: `scripts/host/status.sh`. */
export interface ClusterSight {
  /** In the order in which they are asked: the first that answers lists the Nodes. */
  readonly servers: readonly ServerSight[];
  /** Servers whose disk holds the data of a member of etcd. */
  readonly withEtcd: readonly string[];
  readonly certificates: readonly CertificateSight[];
  /** Whether K3s runs, of each guest of ours that runs and has it. One that starts or fails is not in the list. */
  readonly k3s: readonly { readonly node: string; readonly runs: boolean }[];
  /** Nodes that run without the last rules of their firewall. */
  readonly oldFirewall: readonly string[];
  /** Undefined where no server answers. */
  readonly nodes: readonly NodeSight[] | undefined;
  /** Nodes with which a removal of this program has begun: cordoned, or kept from Longhorn's replicas. */
  readonly leaving: readonly string[];
}
