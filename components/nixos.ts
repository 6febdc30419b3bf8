import * as pulumi from "@pulumi/pulumi";

import { STEP_BOUNDS } from "../plan/bounds";
import { isNixos, type NodePlan, type VmNodePlan } from "../plan/model";
import { k3sConfig } from "../plan/render/k3sConfig";
import { nixosModule } from "../plan/render/nixosModule";
import { stepName } from "../plan/steps";
import { advice } from "../remote/advice";
import { runOnHost } from "../remote/hostTask";
import type { RemoteScriptArgs } from "../remote/RemoteScript";
import { sshAnswers } from "../remote/sshAnswers";
import type { ClusterContext } from "./ClusterContext";
import type { Machine } from "./machine/Machine";

/**
 * How long the program tries a new connection to a node with its new system, because its network may restart. The trial lasts
 * longer.
 */
const TRY_SECONDS = 60;

/** The step that gives a machine with NixOS its configuration and builds it, by SSH. It does not change the running system. */
export function builtByNixos(
  node: VmNodePlan,
  machine: Machine,
  { plan, former }: ClusterContext,
): Pick<RemoteScriptArgs, "task" | "title" | "connection" | "lock" | "args" | "boundSeconds"> {
  const recorded = former.get(node.name);
  return {
    task: "nixos-build",
    title: `build the system of ${node.name} with K3s ${plan.version}`,
    connection: machine.connection,
    lock: "artifacts",
    boundSeconds: STEP_BOUNDS.nixosBuild,
    args: {
      NAME: node.name,
      VERSION: plan.version,
      CONFIG: k3sConfig(node, plan, recorded),
      MODULE: nixosModule(node, plan, recorded),
    },
  };
}

/**
 * What runs before a step of K3s on a machine with NixOS. The machine switches to the new system, and this machine opens a new
 * connection to it. Only if that works, the machine also boots with the new system from then on. So a system that cannot be
 * reached does not last. It is a hook, because only a failure before the step makes the step fail. It uses the guest agent,
 * because the network may be what fails. Other machines have no such hook. In an update it runs in the node's turn
 * (K3sChanges.ts).
 */
export function systemTrial(node: NodePlan, context: ClusterContext): pulumi.ResourceHook[] {
  if (!isNixos(node)) return [];
  const trial = (): Promise<void> => tryAndKeep(node, context);
  context.k3sChanges.tryFirst(node.name, trial);
  return [new pulumi.ResourceHook(stepName(node.name, "nixos-trial"), trial)];
}

async function tryAndKeep(node: VmNodePlan, { host, mark }: Pick<ClusterContext, "host" | "mark">): Promise<void> {
  const onHost = {
    ...({ action: "update", lock: `guest-${node.vmId}`, boundSeconds: STEP_BOUNDS.nixosSwitch } as const),
    args: { VMID: node.vmId, NAME: node.name },
    inputs: { MARK: mark },
  };
  const step = stepName(node.name, "nixos-trial");
  const answer = await runOnHost(host, {
    ...{ ...onHost, task: "nixos-trial", step, title: `${node.name} tries its new system` },
  });
  if (answer === "tried" && !(await sshAnswers([node.address], TRY_SECONDS)))
    throw new Error(
      advice(
        `${step}: with its new system this machine does not reach ${node.name} by SSH; the node goes back to its former system within 7 minutes`,
        "look at it with the guest agent or qm terminal on the Proxmox host, fix the cause, then pulumi up",
      ),
    );
  await runOnHost(host, {
    ...{ ...onHost, task: "nixos-keep", step: stepName(node.name, "nixos-keep") },
    title: `${node.name} keeps its new system`,
  });
}
