import * as pulumi from "@pulumi/pulumi";

import { k3sBound } from "../plan/bounds";
import type { NodePlan } from "../plan/model";
import { artifacts, type ReleaseSums } from "./artifacts";
import type { ClusterContext } from "./ClusterContext";
import { rules } from "./firewall";
import { join } from "./membership/joinGate";
import { stepName } from "../plan/steps";
import { installation } from "./installation";
import { livesWith, type Machine } from "./machine/Machine";
import { machineOf } from "./machine/machineOf";
import { leave, ready } from "./membership/membership";
import { systemTrial } from "./nixos";
import { packages, page, storage } from "./onboarding";
import { RemoteScript } from "../remote/RemoteScript";

export interface K3sNodeArgs {
  readonly node: NodePlan;
  readonly context: ClusterContext;
  /** For a server: its own token and the agents' token. For an agent: only the agents' token, in K10 form. */
  readonly tokens: { readonly token: pulumi.Input<string>; readonly agentToken?: pulumi.Input<string> };
  readonly sums: ReleaseSums;
  /** A server's machine waits for these: all earlier servers, so that the order holds even if one of them is missing. */
  readonly machineAfter: readonly pulumi.Resource[];
  /** The node's leave and K3s wait for these. */
  readonly k3sAfter: readonly pulumi.Resource[];
  /** The node is the first server of a cluster of which nothing exists yet. It has nobody to join; this runs instead of that question. */
  readonly beginsCluster?: pulumi.ResourceHook | undefined;
}

/**
 * One node of the cluster: a machine, its membership, and the K3s service on it.
 *
 * Children, in order of creation: the machine (`LxcK3sContainer` or `VmK3sMachine`), `<name>-artifacts`,
 * `<name>-page`, `<name>-packages` and `<name>-storage` (if the config asks for them), `<name>-leave`, `<name>-rules` (with a firewall), `<name>-k3s`,
 * `<name>-ready`. Deletion goes in the reverse order: the node leaves the cluster before its machine is destroyed.
 */
export class K3sNode extends pulumi.ComponentResource {
  readonly machine: Machine;
  /** Its deletion takes the node out of the cluster. */
  readonly leave: pulumi.Resource;
  /** K3s runs, and a server answers requests. */
  readonly k3s: pulumi.Resource;
  readonly ready: RemoteScript;

  constructor(name: string, args: K3sNodeArgs, opts?: pulumi.ComponentResourceOptions) {
    const { node, context } = args;
    super(
      "proxmox-k3s:index:K3sNode",
      name,
      { role: node.role, kind: node.kind, vmId: node.vmId, address: node.address },
      pulumi.mergeOptions({ protect: node.protect }, opts),
    );
    const machine = machineOf(name, { node, context, after: args.machineAfter }, { parent: this });
    this.machine = machine;
    const membership = { node, machine, context };
    this.leave = leave(name, { ...membership, dependsOn: [machine.usable, ...args.k3sAfter] }, this);
    const changes = context.k3sChanges.hooks;
    const files = artifacts(name, { node, machine, context, sums: args.sums }, this);
    const firewalled = rules(name, { node, machine, context }, this);
    const shown = page(name, { node, machine, context }, this);
    const installed = [
      ...packages(name, { node, machine, context }, this),
      ...storage(name, { node, machine, context }, this),
    ];
    this.k3s = new RemoteScript(
      stepName(name, "k3s"),
      {
        ...installation(node, context, args.sums),
        title: `K3s ${context.plan.version} on ${node.name}`,
        connection: machine.connection,
        lock: "k3s",
        boundSeconds: k3sBound(context.plan),
        secrets: {
          TOKEN: args.tokens.token,
          ...(args.tokens.agentToken === undefined ? {} : { AGENT_TOKEN: args.tokens.agentToken }),
          ...(context.registries === undefined
            ? {}
            : { REGISTRIES_YAML: context.registries.yaml, REGISTRY_CAS: context.registries.cas }),
        },
        triggers: [machine.creation],
      },
      context.scriptOptions({
        parent: this,
        dependsOn: [this.leave, files, ...shown, ...installed, ...(firewalled ? [firewalled] : [])],
        ...livesWith(machine.guest),
        // The credentials are in the same text as the script.
        ...(context.registries?.placeholder ? { ignoreChanges: ["stdin"] } : {}),
        hooks: {
          beforeCreate: [
            ...(node.role === "server" && !args.beginsCluster ? [join(node, context)] : []),
            ...systemTrial(node, context),
            ...(args.beginsCluster ? [args.beginsCluster] : []),
          ],
          beforeUpdate: [changes.beforeUpdate],
          afterUpdate: [changes.afterUpdate],
          onError: [changes.onError],
        },
      }),
    );
    this.ready = ready(name, { ...membership, dependsOn: [this.k3s] }, this);
    this.registerOutputs({ role: node.role, kind: node.kind, vmId: node.vmId, address: node.address });
  }
}
