import { isDeepStrictEqual } from "node:util";

import * as pulumi from "@pulumi/pulumi";

import type { NodePlan } from "../../plan/model";
import { awaitReadyAgain, type ClusterAccess } from "./awaitReadyAgain";
import { checkOwnership, type HostAccess } from "../machine/claim";
import { hookName } from "../../plan/steps";
import { requireQuorumWithout } from "./quorumGate";
import type { TurnHooks, RollingTurns } from "./RollingTurns";

/** What of a guest's inputs matters here. */
interface Inputs {
  readonly cpu?: unknown;
  readonly memory?: unknown;
  readonly networkInterfaces?: readonly unknown[];
  readonly initialization?: { readonly ipConfigs?: readonly unknown[] };
}

/**
 * The inputs of a guest whose change the Proxmox client ends with a reboot (provider of bpg, `container.go` and `vm.go`). The
 * client does so for memory too, which Proxmox VE could change in a running guest. The system's type never changes here: it
 * counts at the creation alone. Nor do further networks: what the state has of them is handed back (docs/decisions/0013), so
 * they differ from the last inputs and not from the guest. A virtual machine's interface moves while it runs.
 */
function rebooting(kind: NodePlan["kind"], { cpu, memory, networkInterfaces, initialization }: Inputs): unknown {
  const address = { ...initialization, ipConfigs: initialization?.ipConfigs?.[0] };
  return [memory, address, kind === "lxc" ? networkInterfaces?.[0] : cpu];
}

/** Whether a change of a guest's inputs reboots it; `plan/transitions.ts` says so before. */
export const reboots = (kind: NodePlan["kind"], before: Inputs = {}, after: Inputs = {}): boolean =>
  !isDeepStrictEqual(rebooting(kind, before), rebooting(kind, after));

/** What a look at whose guest it is needs, and one at its node afterwards. */
export type RebootsArgs = HostAccess & ClusterAccess;

/**
 * Guests that a change reboots take turns: the next one goes when the node of the last one is Ready again, and none once
 * one is not.
 *
 * Hooks and not dependencies: nodes are made all at once, and the engine knows one order for makings and changes. One
 * set of hooks for all machines, because those of a node that has gone from the program would be missing at its deletion.
 */
export class Reboots {
  readonly hooks: TurnHooks;

  constructor(
    cluster: string,
    private readonly turns: RollingTurns,
    private readonly args: RebootsArgs,
  ) {
    this.hooks = {
      beforeUpdate: new pulumi.ResourceHook(hookName(cluster, "reboot"), (change) => this.before(change)),
      afterUpdate: new pulumi.ResourceHook(hookName(cluster, "rebooted"), ({ name }) => this.after(name)),
      onError: new pulumi.ErrorHook(hookName(cluster, "reboot-failed"), async ({ name }) => {
        // The client has spoken; what counts here is whether the next one may go.
        await this.after(name).catch(() => {});
        return false;
      }),
    };
  }

  private async before({ name, oldInputs, newInputs }: pulumi.ResourceHookArgs): Promise<void> {
    const node = this.nodeOf(name);
    if (!node || !reboots(node.kind, oldInputs, newInputs)) return;
    await this.turns.take(name, "reboot it", async () => {
      // The wait may have been long.
      await checkOwnership(name, node, this.args);
      await requireQuorumWithout(node, "reboot it", this.args);
    });
  }

  /** Whatever the change has come to, its node is to be Ready before the next guest goes. */
  private async after(name: string): Promise<void> {
    if (!this.turns.has(name)) return;
    await this.turns.endWhen(name, "its own reboot", () =>
      awaitReadyAgain(this.nodeOf(name)!, "its reboot", this.args),
    );
  }

  private nodeOf(name: string): NodePlan | undefined {
    return this.args.plan.nodes.find((node) => node.name === name);
  }
}
