import { isDeepStrictEqual } from "node:util";

import * as pulumi from "@pulumi/pulumi";

import type { ClusterPlan, NodePlan } from "../config/plan";
import { advice } from "./advice";
import { type Claims, look } from "./claim";
import { runOnHost } from "./hostTask";

/**
 * The settings of a container whose change the Proxmox client ends with a reboot (provider of bpg, `container.go`), as a
 * person calls them. The client does so for memory too, which Proxmox VE could change in a running container.
 */
const SETTINGS: Readonly<Record<string, (inputs: Inputs) => unknown>> = {
  memory: ({ memory }) => memory,
  "network interface": ({ networkInterfaces }) => networkInterfaces,
  "host name, address or DNS": ({ initialization }) => initialization,
  // Its template counts for new containers only.
  "operating system's type": ({ operatingSystem }) => operatingSystem?.type,
};

/** Those of a container's inputs that count here. */
interface Inputs {
  readonly memory?: unknown;
  readonly networkInterfaces?: unknown;
  readonly initialization?: unknown;
  readonly operatingSystem?: { readonly type?: unknown };
}

/** Why a change of a container's inputs reboots it; empty where it does not. */
export function rebootReasons(before: Inputs = {}, after: Inputs = {}): string[] {
  return Object.entries(SETTINGS)
    .filter(([, of]) => !isDeepStrictEqual(of(before), of(after)))
    .map(([words]) => words);
}

export interface RebootsArgs extends Claims {
  readonly plan: ClusterPlan;
  readonly clusterId: pulumi.Output<string>;
}

/**
 * Guests that a change reboots take turns: the next one goes when the node of the last one is Ready again, and none once
 * one is not. A preview calls each by that name.
 *
 * Hooks and not dependencies: nodes are made all at once, and the engine knows one order for makings and changes. One
 * set of hooks for all machines, because those of a node that has gone from the program would be missing at its deletion.
 * The guest in turn waits for nothing that another one holds, so the engine's parallelism cannot block it.
 */
export class Reboots {
  readonly hooks: {
    readonly beforeUpdate: pulumi.ResourceHook;
    readonly afterUpdate: pulumi.ResourceHook;
    readonly onError: pulumi.ErrorHook;
  };
  /** Ends with the turn of the last guest in the row. */
  private row: Promise<void> = Promise.resolve();
  /** Name of the node whose guest has its turn, and what ends that. */
  private turn: { readonly name: string; readonly end: () => void } | undefined;
  /** Why no further guest is rebooted. */
  private halt: string | undefined;

  constructor(
    cluster: string,
    private readonly args: RebootsArgs,
  ) {
    this.hooks = {
      beforeUpdate: new pulumi.ResourceHook(`${cluster}-reboot`, (change) => this.before(change), { onDryRun: true }),
      afterUpdate: new pulumi.ResourceHook(`${cluster}-rebooted`, ({ name }) => this.after(name)),
      onError: new pulumi.ErrorHook(`${cluster}-reboot-failed`, async ({ name }) => {
        // The client has spoken; what counts here is whether the next one may go.
        await this.after(name).catch(() => {});
        return false;
      }),
    };
  }

  private async before({ name, oldInputs, newInputs }: pulumi.ResourceHookArgs): Promise<void> {
    const reasons = rebootReasons(oldInputs, newInputs);
    const node = this.nodeOf(name);
    if (reasons.length === 0 || !node) return;
    if (pulumi.runtime.isDryRun())
      return pulumi.log.warn(`${name}: reboot, for its ${reasons.join(" and ")}; one node at a time`);
    await this.takeTurn(name);
    try {
      if (this.halt !== undefined) throw new Error(`${name} was not changed, which would reboot it: ${this.halt}`);
      // The wait may have been long.
      await look(name, node, this.args, "update");
    } catch (error) {
      this.endTurn();
      throw error;
    }
  }

  /** Whatever the change has come to, its node is to be Ready before the next guest goes. */
  private async after(name: string): Promise<void> {
    if (this.turn?.name !== name) return;
    try {
      await this.awaitNode(this.nodeOf(name)!);
    } catch (error) {
      this.halt = advice(`${name} is not Ready after its own reboot`, "once it is Ready, pulumi up");
      throw error;
    } finally {
      this.endTurn();
    }
  }

  private async takeTurn(name: string): Promise<void> {
    const before = this.row;
    let end = (): void => {};
    this.row = new Promise((resolve) => (end = resolve));
    await before;
    this.turn = { name, end };
  }

  private endTurn(): void {
    this.turn?.end();
    this.turn = undefined;
  }

  private awaitNode(node: NodePlan): Promise<string> {
    const { plan, host, clusterId } = this.args;
    const timeout = plan.k3s.startTimeoutSeconds;
    return runOnHost(host, {
      task: "rebooted",
      action: "look",
      step: `${node.name}-rebooted`,
      title: `${node.name} is Ready again`,
      lock: `ready-${node.vmId}`,
      boundSeconds: 2 * timeout + 60,
      args: { VMID: node.vmId, NAME: node.name, ROLE: node.role, TIMEOUT: timeout },
      inputs: { CLUSTER_ID: clusterId },
    });
  }

  private nodeOf(name: string): NodePlan | undefined {
    return this.args.plan.nodes.find((node) => node.name === name);
  }
}
