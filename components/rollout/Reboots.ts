import * as pulumi from "@pulumi/pulumi";

import type { NodePlan } from "../../plan/model";
import { awaitReadyAgain, type ClusterAccess } from "./awaitReadyAgain";
import { checkOwnership, type HostAccess } from "../machine/claim";
import { reboots } from "../machine/reboots";
import { hookName } from "../../plan/steps";
import { requireQuorumWithout } from "./quorumGate";
import type { TurnHooks, RollingTurns } from "./RollingTurns";

/** What is needed to check whose guest it is, and to check its node afterwards. */
export type RebootsArgs = HostAccess & ClusterAccess;

/**
 * Guests that a change reboots take turns. The next guest is changed when the node of the last one is Ready again. If a node does
 * not become Ready, no further guest is changed.
 *
 * These are hooks and not dependencies: nodes are created all at once, and the engine has one order for creations and changes.
 * There is one set of hooks for all machines, because a node that was removed from the program has no hooks of its own at its
 * deletion.
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
        // The client has already reported the error. This check only decides whether the next guest may be changed.
        await this.after(name).catch(() => {});
        return false;
      }),
    };
  }

  private async before({ name, oldInputs, newInputs }: pulumi.ResourceHookArgs): Promise<void> {
    const node = this.nodeOf(name);
    if (!node || !reboots(node.kind, oldInputs, newInputs)) return;
    await this.turns.take(name, "reboot it", async () => {
      // The wait may have been long, so check again.
      await checkOwnership(name, node, this.args);
      await requireQuorumWithout(node, "reboot it", this.args);
    });
  }

  /** However the change ended, the node must be Ready before the next guest is changed. */
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
