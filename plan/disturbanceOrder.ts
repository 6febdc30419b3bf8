import type { ClusterPlan, NodePlan } from "./model";
import type { NodeEffect, Transitions } from "./transitions";

/** Effects after which a node has to become Ready again. */
const DISTURBING: ReadonlySet<NodeEffect | undefined> = new Set(["k3sRestart", "reboot", "rebuild"]);

/** An agent, and the nodes that must be Ready before its machine changes. */
export interface AgentTurn {
  readonly node: NodePlan;
  readonly after: readonly string[];
}

/**
 * The order of the agents: each comes after the nodes that it waits for, so that no more than `rollout.concurrency` nodes are
 * away at the same time. Servers change one after another and before the agents. Reboots and restarts of K3s take turns in their
 * hooks. A rebuild consists of several resources, and a turn cannot span several resources. So rebuilt agents come last, each
 * after the one whose place it takes. Pure.
 */
export function disturbanceOrder(
  { changes }: Transitions,
  { servers, agents, rollout: { concurrency } }: Pick<ClusterPlan, "servers" | "agents" | "rollout">,
): readonly AgentTurn[] {
  const effects = new Map(changes.map(({ node, effect }) => [node, effect]));
  const isRebuilt = ({ name }: NodePlan): boolean => effects.get(name) === "rebuild";
  const isDisturbed = ({ name }: NodePlan): boolean => DISTURBING.has(effects.get(name));
  const names = (nodes: readonly NodePlan[]): string[] => nodes.map(({ name }) => name);

  const disturbedServers = names(servers.filter(isDisturbed));
  const rebuilt = agents.filter(isRebuilt);
  const others = agents.filter((node) => !isRebuilt(node));
  const disturbed = names([...servers, ...others].filter(isDisturbed));
  return [
    ...others.map((node) => ({ node, after: isDisturbed(node) ? disturbedServers : [] })),
    // The agent that is `concurrency` places before it, if there is one, must be Ready first.
    ...rebuilt.map((node, at) => ({
      node,
      after: [...disturbed, ...names(rebuilt.filter((_, place) => place === at - concurrency))],
    })),
  ];
}
