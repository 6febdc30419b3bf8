import type { AddonsSight } from "../../plan/addonsSight";
import type { ClusterSight } from "../../plan/clusterSight";
import type { ClusterRecord } from "../../plan/record";
import type { HostGuest } from "../recover/guests";
import type { OpenOperation, StateGuest } from "../state";

/** What was seen, or why it could not be seen and what to do about it. */
export type Look<T> = { readonly seen: T } | { readonly why: string; readonly remedy: string };

/** A guest in the list of Proxmox VE, whoever owns it. */
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

/** Everything that was looked at. */
export interface Sight {
  readonly at: Date;
  readonly state: { readonly guests: readonly StateGuest[]; readonly open: readonly OpenOperation[] };
  readonly record: ClusterRecord;
  /** Guests with the cluster's mark, from the Proxmox host. */
  readonly marked: Look<readonly HostGuest[]>;
  /** Guests of the cluster in another Pulumi state, from the Proxmox host. */
  readonly ofAnotherState: readonly HostGuest[];
  /** All guests that the API token can see. */
  readonly listed: Look<readonly ListedGuest[]>;
  readonly storages: Look<readonly StorageSight[]>;
  readonly cluster: Look<ClusterSight>;
  /** What runs in the cluster in addition to K3s; undefined if no server answers. */
  readonly addons: Look<AddonsSight | undefined>;
  /** The end of the certificate in the stack's kubeconfig. */
  readonly kubeconfig: Look<{ readonly ends: Date }>;
}
