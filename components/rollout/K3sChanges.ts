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
 * Changes of K3s itself (its version, options or tokens) take turns: the next node is changed when the last one is Ready
 * again. If a node does not become Ready, no further one is changed. So a release or an option that does not work breaks
 * one node, not all. Every change takes a turn, because only the node knows whether K3s must restart. If it did not restart,
 * the turn ends at once.
 */
export class K3sChanges {
  readonly hooks: TurnHooks;
  /** What a node tries in its turn, before its step runs. */
  private readonly trials = new Map<string, () => Promise<void>>();

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

  /** If a change fails in a node's trial, it is not applied, and no further node is changed. */
  tryFirst(node: string, trial: () => Promise<void>): void {
    this.trials.set(node, trial);
  }

  private async before(resource: string): Promise<void> {
    const node = this.nodeOf(resource);
    if (node)
      await this.turns.take(node.name, "change its K3s", async () => {
        await requireQuorumWithout(node, "change its K3s", this.access);
        await this.trials
          .get(node.name)?.()
          .catch((error: unknown) => {
            this.closeFor(node.name);
            throw error;
          });
      });
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

  /**
   * If a node rejects a change, the others would reject it too. A node that could not be reached says nothing about the others.
   */
  private failed(resource: string, message: string): void {
    const name = this.nodeOf(resource)?.name;
    if (name === undefined || !this.turns.has(name)) return;
    if (wasReached(message)) this.closeFor(name);
    this.turns.end(name);
  }

  private closeFor(node: string): void {
    this.turns.close(advice(`the change of K3s failed on ${node}`, "fix the error of that node, then pulumi up"));
  }

  private nodeOf(resource: string): NodePlan | undefined {
    const { of, step } = parseStep(resource) ?? {};
    return step === "k3s" ? this.access.plan.nodes.find(({ name }) => name === of) : undefined;
  }
}
