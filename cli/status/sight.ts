import type { AddonsSight } from "../../plan/addonsSight";
import type { ClusterSight } from "../../plan/clusterSight";
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

/** All that was looked at. */
export interface Sight {
  readonly at: Date;
  readonly state: { readonly guests: readonly StateGuest[]; readonly open: readonly OpenOperation[] };
  readonly record: ClusterRecord;
  /** Guests with the cluster's mark, by the Proxmox host. */
  readonly marked: Look<readonly HostGuest[]>;
  /** Guests that the cluster has in another Pulumi state, by the Proxmox host. */
  readonly ofAnotherState: readonly HostGuest[];
  /** All guests that the API token may see. */
  readonly listed: Look<readonly ListedGuest[]>;
  readonly storages: Look<readonly StorageSight[]>;
  readonly cluster: Look<ClusterSight>;
  /** What runs in the cluster beside K3s; undefined where no server answers. */
  readonly addons: Look<AddonsSight | undefined>;
  /** The end of the certificate in the kubeconfig that the stack hands out. */
  readonly kubeconfig: Look<{ readonly ends: Date }>;
}
