import { Command } from "commander";

import { ownCommand } from "../config/ownCommand";
import { endpointUrl } from "../plan/endpoint";
import { loadPlan } from "../plan/load";
import { clusterIdOf } from "../plan/mark";
import { renameKubeconfig } from "../plan/render/kubeconfig";
import { clusterStepName } from "../plan/steps";
import { runTask } from "../remote/sshClient";
import { hostTarget, readStack } from "./stack";

/** `proxmox-k3s kubeconfig`: the one that a server has now, where the state's may have ended. */
export const kubeconfigCommand = new Command("kubeconfig")
  .description(
    "Print a fresh kubeconfig of the cluster's admin, read from a server now. It is a secret: send it to a file that only " +
      "you can read.",
  )
  .option("--stack <name>", "the stack whose cluster it is (default: the selected one)")
  .addHelpText(
    "after",
    `\nExample:\n  ${ownCommand("kubeconfig --stack mine | install -m 600 /dev/stdin ~/.kube/mine")}`,
  )
  .action(async ({ stack }: { stack?: string }) => {
    process.stdout.write(await readKubeconfig(stack));
  });

/** @throws Error with the cause and the next command where no server gives one */
async function readKubeconfig(stackName: string | undefined): Promise<string> {
  const stack = await readStack(stackName);
  const plan = loadPlan(stack.cluster);
  const mark = stack.state.mark(plan.name);
  if (mark === undefined) throw new Error("the stack has no cluster yet\nnext:  pulumi up");
  const step = clusterStepName(plan.name, "kubeconfig");
  const text = await runTask(hostTarget(stack, plan), {
    task: "kubeconfig",
    action: "look",
    step,
    title: "the cluster's kubeconfig, read again",
    lock: step,
    boundSeconds: 120,
    args: { TIMEOUT: 30, REPAIRS: 0 },
    inputs: { CLUSTER_ID: clusterIdOf(mark) },
  });
  return renameKubeconfig(text, plan.name, endpointUrl(plan.endpoint));
}
