/** What runs in the cluster in addition to K3s, read by `remote/askAddons.ts`. */

/**
 * `absent`: the API does not have the kind, or has no object of it. `unknown`: the API did not say; it may be there or absent.
 */
export type AddonSight<T> =
  { readonly is: "there"; readonly seen: T } | { readonly is: "absent" } | { readonly is: "unknown" };

/** A condition of an object. Conditions without the right form are left out. */
export interface Condition {
  readonly type: string;
  readonly status: "True" | "False" | "Unknown";
  /** One word in CamelCase; undefined if it is something else. */
  readonly reason: string | undefined;
}

/** What a person or Longhorn may stop on a node or a disk. */
interface Scheduling {
  /** It gets new replicas. */
  readonly allowScheduling: boolean;
  /** Its replicas move away. */
  readonly evictionRequested: boolean;
  readonly conditions: readonly Condition[];
}

export interface LonghornDiskSight extends Scheduling {
  readonly name: string;
  /** Where the disk is mounted, without a slash at the end. */
  readonly path: string;
}

export interface LonghornNodeSight extends Scheduling {
  readonly namespace: string;
  readonly name: string;
  readonly disks: readonly LonghornDiskSight[];
}

export type Robustness = "degraded" | "faulted";

export interface LonghornSight {
  readonly nodes: readonly LonghornNodeSight[];
  /** How many volumes there are. */
  readonly volumes: { readonly all: number } & Readonly<Record<Robustness, number>>;
  /** The first few of those that are not healthy. */
  readonly unwell: readonly {
    readonly namespace: string;
    readonly name: string;
    readonly robustness: Robustness;
  }[];
}

/** An object that Flux fetches from, or applies. */
export interface FluxObjectSight {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  /** The program `addons/` has created it. */
  readonly isOfAddons: boolean;
  readonly isSuspended: boolean;
  /** Its conditions are about the object as it is now. */
  readonly isCurrent: boolean;
  readonly conditions: readonly Condition[];
}

/** What Prometheus reports about the targets that it scrapes. */
export interface JobSight {
  /** Undefined if the name does not have the form of a job's name. */
  readonly job: string | undefined;
  readonly up: number;
  readonly down: number;
  /** Some of those that are down. */
  readonly silent: readonly string[];
}

export interface PrometheusSight {
  readonly namespace: string;
  readonly name: string;
  /** How many pods it should have. */
  readonly wanted: number;
  /** Undefined if its operator has not said. */
  readonly available: number | undefined;
  readonly conditions: readonly Condition[];
  /** Undefined if it could not be asked. */
  readonly jobs: readonly JobSight[] | undefined;
}

export interface IngressSight {
  readonly namespace: string;
  readonly name: string;
  readonly nodePorts: readonly number[];
  /** For each node that could be checked. */
  readonly ports: readonly { readonly node: string; readonly port: number; readonly answers: boolean }[];
}

/** The state of storage, GitOps, monitoring and the ingress, from `scripts/host/addons.sh`. */
export interface AddonsSight {
  readonly longhorn: AddonSight<LonghornSight>;
  readonly flux: AddonSight<readonly FluxObjectSight[]>;
  readonly prometheus: AddonSight<readonly PrometheusSight[]>;
  readonly ingress: AddonSight<IngressSight>;
}

export type AddonName = keyof AddonsSight;
