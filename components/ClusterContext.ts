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
  /** What a new virtual machine is created from, in addition to its template. */
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
  /**
   * By name, the virtual machines whose creation failed half-way, with the id of that creation. They are destroyed and created
   * again.
   */
  readonly halfMade: Readonly<Partial<Record<string, string>>>;
  /** Logs a hint if an operation on a machine fails. */
  readonly machineFailure: pulumi.ErrorHook;
  /** Runs before a change of a container. It fails if the container's disk is larger than the config says. */
  readonly diskFits: pulumi.ResourceHook;
  /** The resource that exists exactly as long as the cluster. Because of it, a full destroy runs no leave. */
  readonly anchor: pulumi.Resource;
  readonly roster: pulumi.Resource;
  /** All running nodes let in the nodes of the plan; every K3s waits for it. Undefined if the firewall is off. */
  readonly firewall: pulumi.Resource | undefined;
  /** The Proxmox host is ready: every machine waits for it. */
  readonly preflight: pulumi.Resource;
  /**
   * A script's own options, merged with those of every script: a hint if its machine cannot be reached, and no shown change of
   * credentials in a preview with placeholders.
   */
  readonly scriptOptions: (own: pulumi.CustomResourceOptions) => pulumi.CustomResourceOptions;
}
