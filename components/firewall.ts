import * as pulumi from "@pulumi/pulumi";

import { STEP_BOUNDS } from "../plan/bounds";
import type { ClusterPlan, NodePlan } from "../plan/model";
import { meshLines } from "../plan/render/meshLines";
import { nftables } from "../plan/render/nftables";
import { clusterStepName, stepName } from "../plan/steps";
import { advice } from "../remote/advice";
import { runOnHost, type HostTask } from "../remote/hostTask";
import { RemoteScript } from "../remote/RemoteScript";
import { sshAnswers } from "../remote/sshAnswers";
import type { ClusterContext } from "./ClusterContext";
import { livesWith, type Machine } from "./machine/Machine";

/**
 * How long the program tries a new connection to a node. The node goes back to its former rules some seconds later
 * (scripts/lib/firewall.sh).
 */
const TRY_SECONDS = 20;

/**
 * The firewall of all nodes, or nothing if it is off. The Proxmox host gives it to all running nodes. Every K3s waits for it, so
 * the other nodes let a node in before it joins. Machines do not wait for it, and it does not wait for machines
 * (docs/decisions/0018).
 */
export function firewall(
  name: string,
  context: Pick<ClusterContext, "anchor" | "clusterId" | "host" | "plan" | "repairs" | "roster" | "scriptOptions">,
  parent: pulumi.Resource,
): RemoteScript | undefined {
  const { plan, host } = context;
  if (!hasFirewall(plan)) return undefined;
  const step = clusterStepName(name, "firewall");
  const onHost = {
    lock: step,
    boundSeconds: STEP_BOUNDS.guest,
    args: {
      RULES: nftables(plan),
      MESH: meshLines(plan),
      REPAIRS: context.repairs(step),
    },
    inputs: { CLUSTER_ID: context.clusterId },
  };
  const tried = trial(host, {
    ...onHost,
    task: "firewall-trial",
    action: "update",
    step: clusterStepName(name, "firewall-trial"),
    title: "the nodes try the rules of their firewall",
  });
  return new RemoteScript(
    step,
    {
      ...onHost,
      task: "firewall",
      title: "the firewall of all nodes",
      on: "apply and delete",
      connection: host,
    },
    context.scriptOptions({
      parent,
      dependsOn: [context.roster],
      deletedWith: context.anchor,
      hooks: { beforeCreate: [tried], beforeUpdate: [tried] },
    }),
  );
}

interface RulesArgs {
  readonly node: NodePlan;
  readonly machine: Machine;
  readonly context: ClusterContext;
}

/** A node's own firewall, before its K3s starts. It does not name the other nodes, so it does not change with them. */
export function rules(
  name: string,
  { node, machine, context }: RulesArgs,
  parent: pulumi.Resource,
): RemoteScript | undefined {
  const mesh = context.firewall;
  if (mesh === undefined) return undefined;
  const onHost = {
    lock: `guest-${node.vmId}`,
    boundSeconds: STEP_BOUNDS.guest,
    args: { VMID: node.vmId, NAME: node.name, ADDRESS: node.address },
    inputs: { CLUSTER_ID: context.clusterId },
  };
  const tried = trial(context.host, {
    ...onHost,
    task: "rules-trial",
    action: "update",
    step: stepName(name, "rules-trial"),
    title: `${node.name} tries the rules of its firewall`,
  });
  return new RemoteScript(
    stepName(name, "rules"),
    {
      ...onHost,
      task: "rules",
      title: `the firewall of ${node.name}`,
      connection: context.host,
      triggers: [machine.creation],
    },
    context.scriptOptions({
      parent,
      dependsOn: [machine.usable, mesh],
      ...livesWith(machine.guest),
      hooks: { beforeCreate: [tried], beforeUpdate: [tried] },
    }),
  );
}

const hasFirewall = (plan: ClusterPlan): plan is Parameters<typeof nftables>[0] => plan.firewall !== undefined;

/**
 * Runs before rules are kept. The nodes apply the rules for a minute, and this machine opens a new connection to each of them. So
 * rules that lock out the machine that runs `pulumi up` do not last. It is a hook, because only a failure before the step makes
 * the step fail.
 */
function trial(host: ClusterContext["host"], task: HostTask): pulumi.ResourceHook {
  return new pulumi.ResourceHook(task.step, async () => {
    const answer = await runOnHost(host, task);
    const addresses = new Map<string, string[]>();
    for (const line of answer.split("\n").filter(Boolean)) {
      const [node = "", address = ""] = line.split(" ");
      addresses.set(node, [...(addresses.get(node) ?? []), address]);
    }
    const reached = await Promise.all(
      [...addresses].map(async ([node, its]) => ({ node, answers: await sshAnswers(its, TRY_SECONDS) })),
    );
    const lost = reached.filter(({ answers }) => !answers).map(({ node }) => node);
    if (lost.length > 0)
      throw new Error(
        advice(
          `${task.step}: with the rules of the firewall this machine does not reach ${lost.join(", ")} by SSH; each node goes back to its former rules within a minute`,
          "add this machine's network to cluster.firewall.adminNetworks; or, if it is there, see whether SSH runs on the node; then pulumi up",
        ),
      );
  });
}
