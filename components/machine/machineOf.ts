import type * as pulumi from "@pulumi/pulumi";

import type { NodePlan } from "../../plan/model";
import type { ClusterContext } from "../ClusterContext";
import { LxcK3sContainer } from "../LxcK3sContainer";
import { VmK3sMachine } from "../VmK3sMachine";
import type { Machine } from "./Machine";

export interface MachineArgs {
  readonly node: NodePlan;
  readonly context: ClusterContext;
  /** The machine is created after these. */
  readonly after: readonly pulumi.Resource[];
}

/** The node's machine, by its kind. */
export function machineOf(
  name: string,
  { node, context, after }: MachineArgs,
  opts: pulumi.ComponentResourceOptions,
): Machine {
  switch (node.kind) {
    case "lxc":
      return new LxcK3sContainer(name, { node, context, after }, opts);
    case "vm":
      return new VmK3sMachine(name, { node, context, after }, opts);
    default: {
      const exhaustive: never = node;
      throw new Error(`unknown kind of node: ${JSON.stringify(exhaustive)}`);
    }
  }
}
