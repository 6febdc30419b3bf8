import * as proxmoxve from "@muhlba91/pulumi-proxmoxve";
import * as pulumi from "@pulumi/pulumi";

import { STEP_BOUNDS } from "../plan/bounds";
import { creationOf } from "../plan/mark";
import { isEtcdMember, isNixos, type VmNodePlan } from "../plan/model";
import { stepName } from "../plan/steps";
import { type Connection, RemoteScript } from "../remote/RemoteScript";
import type { ClusterContext } from "./ClusterContext";
import { ignoredChanges } from "./machine/byHand";
import { checkHalfMade, claim } from "./machine/claim";
import { diskLines, furtherDisks } from "./machine/furtherDisks";
import { describe } from "./machine/description";
import { guard } from "./machine/guard";
import { livesWith, type Machine } from "./machine/Machine";
import { reach } from "./machine/reach";
import { formerGuest } from "./machine/settings";
import { vmSettings } from "./machine/vmSettings";

export interface VmK3sMachineArgs {
  readonly node: VmNodePlan;
  readonly context: ClusterContext;
  /** The machine is created after these. */
  readonly after: readonly pulumi.Resource[];
}

/**
 * A virtual machine that can run K3s. It is claimed, created from its template or image, set up by cloud-init, and accepts SSH by
 * key with a known host key.
 */
export class VmK3sMachine extends pulumi.ComponentResource implements Machine {
  readonly connection: Connection;
  readonly guest: pulumi.Resource;
  readonly creation: pulumi.Output<string>;
  readonly usable: pulumi.Resource;

  constructor(name: string, args: VmK3sMachineArgs, opts?: pulumi.ComponentResourceOptions) {
    const { node, context } = args;
    super("proxmox-k3s:index:VmK3sMachine", name, { vmId: node.vmId, address: node.address }, opts);
    const { clones, reboots } = context;
    // The client changes or adopts any guest that has the VMID. So before each change, the claim checks whose guest it is.
    const claimed = claim(name, node, context, (check) => clones.take(name, node.source, check));
    const files = context.bootFiles(node);

    const failed = context.halfMade[name];
    if (failed !== undefined)
      void pulumi.log.warn(
        `${name}: the creation of guest ${node.vmId} failed before it had all its settings, so it is destroyed and created again`,
        this,
      );
    const kept = node.disksVmId === undefined ? [] : [furtherDisks(name, node, node.disksVmId, context, this)];
    // The engine destroys the incomplete machine as soon as it knows the inputs, so the check of the guest is part of them.
    const description =
      failed === undefined || pulumi.runtime.isDryRun()
        ? describe(context.mark)
        : pulumi.output(checkHalfMade(name, node, context, failed)).apply(() => describe(context.mark));
    const vm = new proxmoxve.VmLegacy(
      name,
      { ...vmSettings(node, context.plan, formerGuest(node, context), files), description },
      {
        parent: this,
        provider: context.proxmox,
        dependsOn: [context.roster, context.preflight, ...files.resources, ...kept, ...args.after],
        hooks: {
          beforeCreate: [claimed],
          afterCreate: [clones.hooks.afterCreate],
          beforeUpdate: [claimed, reboots.hooks.beforeUpdate],
          afterUpdate: [reboots.hooks.afterUpdate],
          onError: [context.machineFailure, clones.hooks.onError, reboots.hooks.onError],
        },
        // The VMID and the address are fixed: the old machine must be gone before the new one is created.
        deleteBeforeReplace: true,
        replaceOnChanges: [
          // The description has the id of the creation, so a change of it replaces the machine.
          ...(failed === undefined ? [] : ["description"]),
          // etcd knows its members by their addresses, so a server with a new address leaves and joins again. A NixOS machine
          // boots with the address in its module, so only a new machine can have another one.
          ...(isEtcdMember(node, context.plan) || isNixos(node) ? ["initialization.ipConfigs[*].ipv4.address"] : []),
          // cloud-init has tied the address to the MAC address.
          ...(node.mac === undefined ? [] : ["networkDevices[0].macAddress"]),
        ],
        ignoreChanges: failed === undefined ? ignoredChanges(node) : [],
      },
    );
    this.guest = vm;
    this.creation = vm.description.apply((text) => creationOf(text ?? ""));

    const guarded = guard(name, { node, context, guest: vm, creation: this.creation }, this);
    const ready = new RemoteScript(
      stepName(name, "vm"),
      {
        task: "vm",
        title: `first boot, disk and SSH of ${node.name}`,
        connection: context.host,
        lock: `guest-${node.vmId}`,
        boundSeconds: STEP_BOUNDS.firstBoot,
        args: {
          VMID: node.vmId,
          NAME: node.name,
          ADDRESS: node.address,
          DISK: node.diskGiB,
          DISKS: diskLines(node),
          DISKS_VMID: node.disksVmId ?? "",
          AUTHORIZED_KEYS: context.plan.ssh.authorizedKeys.join("\n"),
        },
        inputs: { MARK: context.mark, URN: vm.urn },
        triggers: [this.creation],
      },
      // The engine deletes what depends on this before the guard. So while a leave has not succeeded, the guard still has to run.
      context.scriptOptions({ parent: this, dependsOn: [vm, guarded], ...livesWith(vm) }),
    );
    const { connection, usable } = reach(
      name,
      { node, context, guest: vm, creation: this.creation, after: ready },
      this,
    );
    this.connection = connection;
    this.usable = usable;
    this.registerOutputs({ vmId: node.vmId, address: node.address });
  }
}
