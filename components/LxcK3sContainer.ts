import * as proxmoxve from "@muhlba91/pulumi-proxmoxve";
import * as pulumi from "@pulumi/pulumi";

import { STEP_BOUNDS } from "../plan/bounds";
import { creationOf } from "../plan/mark";
import { isEtcdMember, type LxcNodePlan } from "../plan/model";
import { stepName } from "../plan/steps";
import type { ClusterContext } from "./ClusterContext";
import { ignoredChanges } from "./machine/byHand";
import { claim } from "./machine/claim";
import { containerSettings } from "./machine/containerSettings";
import { guard } from "./machine/guard";
import { livesWith, type Machine } from "./machine/Machine";
import { describe } from "./machine/description";
import { reach } from "./machine/reach";
import { formerGuest } from "./machine/settings";
import { type Connection, RemoteScript } from "../remote/RemoteScript";

export interface LxcK3sContainerArgs {
  readonly node: LxcNodePlan;
  readonly context: ClusterContext;
  /** The container is created after these. */
  readonly after: readonly pulumi.Resource[];
}

/**
 * A container that can run K3s. It is claimed and created, gets the settings that only root on the host may set (features, raw
 * lines), and accepts SSH by key with a known host key.
 */
export class LxcK3sContainer extends pulumi.ComponentResource implements Machine {
  readonly connection: Connection;
  readonly guest: pulumi.Resource;
  readonly creation: pulumi.Output<string>;
  readonly usable: pulumi.Resource;

  constructor(name: string, args: LxcK3sContainerArgs, opts?: pulumi.ComponentResourceOptions) {
    const { node, context } = args;
    super("proxmox-k3s:index:LxcK3sContainer", name, { vmId: node.vmId, address: node.address }, opts);
    const onHost = { connection: context.host, lock: `guest-${node.vmId}`, boundSeconds: STEP_BOUNDS.guest };
    const guestArgs = { VMID: node.vmId, NAME: node.name };
    // The client changes or adopts any guest that has the VMID. So before each change, the claim checks whose guest it is.
    const claimed = claim(name, node, context);
    const reboots = context.reboots.hooks;

    const container = new proxmoxve.ContainerLegacy(
      name,
      { ...containerSettings(node, context.plan, formerGuest(node, context)), description: describe(context.mark) },
      {
        parent: this,
        provider: context.proxmox,
        dependsOn: [context.roster, context.preflight, ...args.after],
        hooks: {
          beforeCreate: [claimed],
          beforeUpdate: [context.diskFits, claimed, reboots.beforeUpdate],
          afterUpdate: [reboots.afterUpdate],
          onError: [context.machineFailure, reboots.onError],
        },
        // The VMID and the address are fixed: the old container must be gone before the new one is created.
        deleteBeforeReplace: true,
        // etcd knows its members by their addresses, so a server with a new address leaves and joins again.
        replaceOnChanges: isEtcdMember(node, context.plan) ? ["initialization.ipConfigs[*].ipv4.address"] : [],
        ignoreChanges: ignoredChanges(node),
      },
    );
    this.guest = container;
    this.creation = container.description.apply((text) => creationOf(text ?? ""));

    const guarded = guard(name, { node, context, guest: container, creation: this.creation }, this);
    const lxc = new RemoteScript(
      stepName(name, "lxc"),
      {
        ...onHost,
        task: "lxc",
        title: `features, raw lines and SSH of ${node.name}`,
        args: {
          ...guestArgs,
          ADDRESS: node.address,
          AUTHORIZED_KEYS: context.plan.ssh.authorizedKeys.join("\n"),
        },
        inputs: { MARK: context.mark },
        triggers: [this.creation],
      },
      // The engine deletes what depends on this before the guard. So while a leave has not succeeded, the guard still has to run.
      context.scriptOptions({ parent: this, dependsOn: [container, guarded], ...livesWith(container) }),
    );

    const { connection, usable } = reach(
      name,
      { node, context, guest: container, creation: this.creation, after: lxc },
      this,
    );
    this.connection = connection;
    this.usable = usable;
    this.registerOutputs({ vmId: node.vmId, address: node.address });
  }
}
