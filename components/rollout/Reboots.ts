import * as pulumi from "@pulumi/pulumi";

import type { NodePlan } from "../../plan/model";
import { awaitReadyAgain, type ClusterAccess } from "./awaitReadyAgain";
import { checkOwnership, type HostAccess } from "../machine/claim";
import { reboots } from "../machine/reboots";
import { hookName } from "../../plan/steps";
import { requireQuorumWithout } from "./quorumGate";
import type { TurnHooks, RollingTurns } from "./RollingTurns";

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
