import type * as proxmoxve from "@muhlba91/pulumi-proxmoxve";
import type * as pulumi from "@pulumi/pulumi";

import type { ClusterPlan } from "../plan/model";
import type { K3sChanges } from "./rollout/K3sChanges";
import type { Reboots } from "./rollout/Reboots";
import type { Connection } from "../remote/RemoteScript";

/** What every part of a cluster shares. */
export interface ClusterContext {
  readonly plan: ClusterPlan;
  /** The anchor's random id; names our folder on the Proxmox host. */
  readonly clusterId: pulumi.Output<string>;
  readonly mark: pulumi.Output<string>;
  /** Root on the Proxmox host. */
  readonly host: Connection;
  /** The private key for root on the nodes. */
  readonly nodeKey: pulumi.Output<string>;
  readonly proxmox: proxmoxve.Provider;
  /** Machines that a change reboots take turns. */
  readonly reboots: Reboots;
  /** So do nodes whose K3s is changed. */
  readonly k3sChanges: K3sChanges;
  /** What every machine's resource says beside the client when that fails. */
  readonly machineFailure: pulumi.ErrorHook;
  /** Before a change of a machine: its disk is no larger than the config says. */
  readonly diskFits: pulumi.ResourceHook;
  /** The resource that lives exactly as long as the cluster: a full destroy runs no leave. */
  readonly anchor: pulumi.Resource;
  readonly roster: pulumi.Resource;
  /** The Proxmox host is ready: every machine waits for it. */
  readonly preflight: pulumi.Resource;
  /**
   * Options of every script: what is said when its machine cannot be reached, and that a preview with placeholders
   * shows no change of credentials.
   */
  readonly scriptOptions: pulumi.CustomResourceOptions;
}
