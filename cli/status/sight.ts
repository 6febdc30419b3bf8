import type { ClusterRecord } from "../../plan/record";
import type { HostGuest } from "../recover/guests";
import type { OpenOperation, StateGuest } from "../state";

/** What was seen, or why it could not be looked at and what to do about that. */
export type Look<T> = { readonly seen: T } | { readonly why: string; readonly remedy: string };

/** A guest as Proxmox VE lists it, anybody's. */
export interface ListedGuest {
  readonly vmId: number;
  readonly name: string;
  readonly isRunning: boolean;
}

export interface StorageSight {
  readonly name: string;
  readonly isActive: boolean;
  readonly totalBytes: number;
  readonly freeBytes: number;
}

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
  readonly servers: readonly ServerSight[];
  /** Servers whose disk holds the data of a member of etcd. */
  readonly withEtcd: readonly string[];
  readonly certificates: readonly CertificateSight[];
  /** Undefined where no server answers. */
  readonly nodes: readonly NodeSight[] | undefined;
  /** Nodes that a removal of this program has cordoned. */
  readonly leaving: readonly string[];
}

/** All that was looked at. */
export interface Sight {
  readonly at: Date;
  readonly state: { readonly guests: readonly StateGuest[]; readonly open: readonly OpenOperation[] };
  readonly record: ClusterRecord;
  /** Guests with the cluster's mark, by the Proxmox host. */
  readonly marked: Look<readonly HostGuest[]>;
  /** All guests that the API token may see. */
  readonly listed: Look<readonly ListedGuest[]>;
  readonly storages: Look<readonly StorageSight[]>;
  readonly cluster: Look<ClusterSight>;
  /** The end of the certificate in the kubeconfig that the stack hands out. */
  readonly kubeconfig: Look<{ readonly ends: Date }>;
}
