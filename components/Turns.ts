import { Semaphore } from "async-mutex";

/**
 * Nodes that a change disturbs take turns, so many at a time as the config's `rollout.concurrency` says; once one of them
 * is not well after its change, no further one is changed (docs/decisions/0006).
 *
 * A turn is taken and ended in the hooks of one resource, and never held from one resource to another: whoever has it
 * waits for nothing that another node holds, so the engine's parallelism cannot block it.
 */
export class Turns {
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
   * @throws Error when no further node is changed
   */
  async take(node: string, effect: string): Promise<void> {
    const [, release] = await this.places.acquire();
    if (this.closed !== undefined) {
      release();
      throw new Error(`${node} was not changed, which would ${effect}: ${this.closed}`);
    }
    this.taken.set(node, release);
  }

  has(node: string): boolean {
    return this.taken.has(node);
  }

  /** Ends the node's turn, if it has one. */
  end(node: string): void {
    this.taken.get(node)?.();
    this.taken.delete(node);
  }

  /** No further turn is given, for this reason; the first one stands. */
  close(reason: string): void {
    this.closed ??= reason;
  }
}
