import type * as proxmoxve from "@muhlba91/pulumi-proxmoxve";
import type * as pulumi from "@pulumi/pulumi";

import type { RegistryFiles } from "../credentials/load";
import type { ClusterPlan, VmNodePlan } from "../plan/model";
import type { NodeRecord } from "../plan/record";
import type { BootFiles } from "./machine/bootFiles";
import type { RepairCounts } from "./repair";
import type { Clones } from "./rollout/Clones";
import type { K3sChanges } from "./rollout/K3sChanges";
import type { Reboots } from "./rollout/Reboots";
import type { Connection } from "../remote/RemoteScript";

/** What all parts of a cluster share. */
export interface ClusterContext {
  readonly plan: ClusterPlan;
  /** The anchor's random id. It is also the name of the cluster's folder on the Proxmox host. */
  readonly clusterId: pulumi.Output<string>;
  readonly mark: pulumi.Output<string>;
  /** Root on the Proxmox host. */
  readonly host: Connection;
  /** The private key for root on the nodes. */
  readonly nodeKey: pulumi.Output<string>;
  /** What nodes get for K3s' `registries.yaml`; undefined if the config names no registry. */
  readonly registries: RegistryFiles | undefined;
  readonly proxmox: proxmoxve.Provider;
  /** What a new virtual machine is made of, beside its template. */
  readonly bootFiles: (node: VmNodePlan) => BootFiles;
  /** Limits how many copies of one template or image are made at the same time. */
  readonly clones: Clones;
  /** Makes machines take turns if a change reboots them. */
  readonly reboots: Reboots;
  /** Makes nodes take turns if a change restarts K3s. */
  readonly k3sChanges: K3sChanges;
  /** How often a step was repaired, this run included. */
  readonly repairs: RepairCounts;
  /** The nodes as the state records them, by name. */
  readonly former: ReadonlyMap<string, NodeRecord>;
  /** By name, the ids of creations that failed half-way, of virtual machines that are made anew. */
  readonly halfMade: Readonly<Partial<Record<string, string>>>;
  /** Logs a hint if an operation on a machine fails. */
  readonly machineFailure: pulumi.ErrorHook;
  /** Before a change of a container: its disk is no larger than the config says. */
  readonly diskFits: pulumi.ResourceHook;
  /** The resource that exists exactly as long as the cluster. With it, a full destroy runs no leave. */
  readonly anchor: pulumi.Resource;
  readonly roster: pulumi.Resource;
  /** All nodes let in those of the plan: every K3s waits for it. Undefined if the nodes have no firewall of the program's. */
  readonly firewall: pulumi.Resource | undefined;
  /** The Proxmox host is ready: every machine waits for it. */
  readonly preflight: pulumi.Resource;
  /**
   * A script's own options together with those of every script: the hint if its machine cannot be reached, and that a preview
   * with placeholders shows no change of credentials.
   */
  readonly scriptOptions: (own: pulumi.CustomResourceOptions) => pulumi.CustomResourceOptions;
}
