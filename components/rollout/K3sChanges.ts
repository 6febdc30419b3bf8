import * as pulumi from "@pulumi/pulumi";

import type { NodePlan } from "../../plan/model";
import { advice } from "../../remote/advice";
import { readAnswer } from "../../remote/answer";
import { awaitReadyAgain, type ClusterAccess } from "./awaitReadyAgain";
import { known } from "../../remote/known";
import { requireQuorumWithout } from "./quorumGate";
import { wasReached } from "../../remote/scriptFailure";
import type { TurnHooks, RollingTurns } from "./RollingTurns";
import { hookName, parseStep } from "../../plan/steps";

/**
 * Changes of K3s itself (its version, its options, its tokens) take turns: the next node's K3s is changed when the last
 * node is Ready again, and none once one is not. So a release or an option that does not work costs one node and not all.
 * Every change counts, as only the node knows whether it restarts K3s; where it did not, the turn ends at once.
 */
export class K3sChanges {
  readonly hooks: TurnHooks;

  constructor(
    cluster: string,
    private readonly turns: RollingTurns,
    private readonly access: ClusterAccess,
  ) {
    this.hooks = {
      beforeUpdate: new pulumi.ResourceHook(hookName(cluster, "k3s-turn"), ({ name }) => this.before(name)),
      afterUpdate: new pulumi.ResourceHook(hookName(cluster, "k3s-changed"), ({ name, newOutputs }) =>
        this.after(name, newOutputs),
      ),
      onError: new pulumi.ErrorHook(hookName(cluster, "k3s-failed"), ({ name, errors }) => {
        this.failed(name, errors[0] ?? "");
        return Promise.resolve(false);
      }),
    };
  }

  private async before(resource: string): Promise<void> {
    const node = this.nodeOf(resource);
    if (node)
      await this.turns.take(node.name, "change its K3s", () =>
        requireQuorumWithout(node, "change its K3s", this.access),
      );
  }

  private async after(resource: string, outputs: Record<string, unknown> = {}): Promise<void> {
    const node = this.nodeOf(resource);
    if (!node || !this.turns.has(node.name)) return;
    const change = "the change of its K3s";
    await this.turns.endWhen(node.name, change, async () => {
      const stdout: unknown = pulumi.runtime.unwrapRpcSecret(await known<unknown>(outputs["stdout"]));
      const answer = readAnswer("install-k3s", resource, "update", String(stdout));
      if (answer === "restarted") await awaitReadyAgain(node, change, this.access);
    });
  }

  /** What one node refuses, the others would refuse as well; one that was not reached says nothing of them. */
  private failed(resource: string, message: string): void {
    const name = this.nodeOf(resource)?.name;
    if (name === undefined || !this.turns.has(name)) return;
    if (wasReached(message))
      this.turns.close(advice(`the change of K3s failed on ${name}`, "what is said of that node, then pulumi up"));
    this.turns.end(name);
  }

  private nodeOf(resource: string): NodePlan | undefined {
    const { of, step } = parseStep(resource) ?? {};
    return step === "k3s" ? this.access.plan.nodes.find(({ name }) => name === of) : undefined;
  }
}
