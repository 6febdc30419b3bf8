import * as pulumi from "@pulumi/pulumi";
import { Semaphore } from "async-mutex";

import type { VmSource } from "../../plan/model";
import { hookName } from "../../plan/steps";

/**
 * How many copies of one template or image are made at the same time. Each copy reads all of it, and Proxmox VE locks a template
 * while it is copied.
 */
const AT_A_TIME = 4;

/** Limits how many copies of one template or image are made at the same time, whatever the engine's parallelism is. */
export class Clones {
  /** The hooks that end a machine's turn. One set for all machines of a cluster. */
  readonly hooks: { readonly afterCreate: pulumi.ResourceHook; readonly onError: pulumi.ErrorHook };
  private readonly sources = new Map<string, Semaphore>();
  /** For each machine that is being created: the function that ends its turn. */
  private readonly taken = new Map<string, () => void>();

  constructor(cluster: string) {
    this.hooks = {
      afterCreate: new pulumi.ResourceHook(hookName(cluster, "cloned"), ({ name }) => this.end(name)),
      onError: new pulumi.ErrorHook(hookName(cluster, "clone-failed"), ({ name }) => {
        this.end(name);
        return Promise.resolve(false);
      }),
    };
  }

  /**
   * Resolves when the machine may be created.
   * @param check a last check; if it throws, the machine's turn ends
   * @throws the error of `check`
   */
  async take(name: string, source: VmSource, check: () => Promise<unknown>): Promise<void> {
    const key = JSON.stringify("template" in source ? source.template : source.image);
    const places = this.sources.get(key) ?? new Semaphore(AT_A_TIME);
    this.sources.set(key, places);
    const [, release] = await places.acquire();
    this.taken.set(name, release);
    try {
      await check();
    } catch (error) {
      this.end(name);
      throw error;
    }
  }

  private end(name: string): void {
    this.taken.get(name)?.();
    this.taken.delete(name);
  }
}
