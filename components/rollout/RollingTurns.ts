import type * as pulumi from "@pulumi/pulumi";
import { Semaphore } from "async-mutex";

import { advice } from "../../remote/advice";

/** The hooks of a resource whose changes take turns: one set for all nodes of a cluster. */
export interface TurnHooks {
  readonly beforeUpdate: pulumi.ResourceHook;
  readonly afterUpdate: pulumi.ResourceHook;
  readonly onError: pulumi.ErrorHook;
}

/**
 * Nodes that a change disturbs take turns. `rollout.concurrency` in the config says how many change at the same time. If a
 * node is not Ready after its change, no further one is changed (docs/decisions/0006).
 *
 * A turn begins and ends in the hooks of one resource, and no other resource holds it. So a node with a turn never waits for
 * another node, and the engine's parallelism cannot cause a deadlock.
 */
export class RollingTurns {
  private readonly places: Semaphore;
  /** For each node that has a turn: the function that ends it. */
  private readonly taken = new Map<string, () => void>();
  private closed: string | undefined;

  constructor(concurrency: number) {
    this.places = new Semaphore(concurrency);
  }

  /**
   * Resolves when it is the node's turn; nodes take turns in the order of their calls.
   * @param effect what the change would do, for the error: "reboot it"
   * @param check a last check; if it throws, the node's turn ends
   * @throws Error if no further node may be changed, and the error of `check`
   */
  async take(node: string, effect: string, check: () => Promise<unknown>): Promise<void> {
    const [, release] = await this.places.acquire();
    if (this.closed !== undefined) {
      release();
      throw new Error(`${node} was not changed (this would ${effect}): ${this.closed}`);
    }
    this.taken.set(node, release);
    try {
      await check();
    } catch (error) {
      this.end(node);
      throw error;
    }
  }

  has(node: string): boolean {
    return this.taken.has(node);
  }

  /** Ends the node's turn, if it has one. */
  end(node: string): void {
    this.taken.get(node)?.();
    this.taken.delete(node);
  }

  /**
   * Ends the node's turn once it is Ready again. If it does not become Ready, no further node gets a turn.
   * @param change what disturbed it, for the error: "its own reboot"
   * @throws the error of `awaitWell`
   */
  async endWhen(node: string, change: string, awaitWell: () => Promise<unknown>): Promise<void> {
    try {
      await awaitWell();
    } catch (error) {
      this.close(
        advice(
          `${node} is not Ready after ${change}`,
          "wait until it is Ready, or fix what keeps it from becoming Ready; then pulumi up",
        ),
      );
      throw error;
    } finally {
      this.end(node);
    }
  }

  /** Ends the rollout: no further node gets a turn. The first reason counts. */
  close(reason: string): void {
    this.closed ??= reason;
  }
}
