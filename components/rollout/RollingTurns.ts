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
 * Nodes that a change disturbs take turns, so many at a time as the config's `rollout.concurrency` says; once one of them
 * is not well after its change, no further one is changed (docs/decisions/0006).
 *
 * A turn is taken and ended in the hooks of one resource, and never held from one resource to another: whoever has it
 * waits for nothing that another node holds, so the engine's parallelism cannot block it.
 */
export class RollingTurns {
  private readonly places: Semaphore;
  /** What ends the turn of a node that has one, by its name. */
  private readonly taken = new Map<string, () => void>();
  private closed: string | undefined;

  constructor(concurrency: number) {
    this.places = new Semaphore(concurrency);
  }

  /**
   * Resolves when it is the node's turn, in the order in which they came.
   * @param effect what the change would do, for the error
   * @param check a last look; where it throws, the node's turn is over
   * @throws Error when no further node is changed, and what `check` throws
   */
  async take(node: string, effect: string, check: () => Promise<unknown>): Promise<void> {
    const [, release] = await this.places.acquire();
    if (this.closed !== undefined) {
      release();
      throw new Error(`${node} was not changed, which would ${effect}: ${this.closed}`);
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
   * Ends the node's turn once it is well again; where it is not, no further one is given.
   * @param change what disturbed it, "its own reboot"
   * @throws what `awaitWell` throws
   */
  async endWhen(node: string, change: string, awaitWell: () => Promise<unknown>): Promise<void> {
    try {
      await awaitWell();
    } catch (error) {
      this.close(advice(`${node} is not Ready after ${change}`, "once it is Ready, pulumi up"));
      throw error;
    } finally {
      this.end(node);
    }
  }

  /** No further turn is given, for this reason; the first one stands. */
  close(reason: string): void {
    this.closed ??= reason;
  }
}
