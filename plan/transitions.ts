import { isDeepStrictEqual } from "node:util";

import { refusals } from "./refusals";
import type { Problem } from "../config/problems";
import type { ClusterPlan, NodePlan } from "./model";
import { type ClusterRecord, isEtcdRecord, type NodeRecord, recordOf } from "./record";

/** What a change does to a node, from the least to the most disruptive. */
export type NodeEffect = "live" | "k3sRestart" | "reboot" | "rebuild" | "leave" | "join";

export interface NodeChange {
  readonly node: string;
  readonly effect: NodeEffect;
  /** The changed settings, in a person's words: "memory"; empty for a node that joins or leaves. */
  readonly reasons: readonly string[];
}

/** What an `up` would do to an existing cluster, or why it cannot. */
export interface Transitions {
  /** In the plan's order, then the nodes that leave; an unchanged node has none. */
  readonly changes: readonly NodeChange[];
  /** Unsupported changes, each with an alternative that works. */
  readonly refusals: readonly Problem[];
}

/** A setting of a node, in a person's words, and what its change does. */
interface Aspect {
  readonly words: string;
  readonly of: (node: NodeRecord) => unknown;
  readonly effect: (wanted: NodeRecord) => Exclude<NodeEffect, "join" | "leave">;
}

/**
 * What the program and the Proxmox provider do with a change of each setting. The storage, the template and the system's type
 * are not in the list: they apply only when a guest is created, so a later change has no effect on it.
 */
const ASPECTS: readonly Aspect[] = [
  { words: "VMID", of: ({ vmId }) => vmId, effect: () => "rebuild" },
  {
    words: "address",
    of: ({ address, prefix }) => [address, prefix],
    // etcd knows its members by their addresses.
    effect: (wanted) => (isEtcdRecord(wanted) ? "rebuild" : "reboot"),
  },
  {
    words: "gateway or DNS",
    of: ({ gateway, nameservers, searchDomain }) => [gateway, nameservers, searchDomain],
    effect: () => "reboot",
  },
  { words: "network interface", of: ({ bridge, vlan }) => [bridge, vlan], effect: () => "reboot" },
  { words: "MAC address", of: ({ mac }) => mac, effect: () => "reboot" },
  { words: "memory", of: ({ memoryMiB, swapMiB }) => [memoryMiB, swapMiB], effect: () => "reboot" },
  { words: "version", of: ({ k3s }) => k3s?.version, effect: () => "k3sRestart" },
  { words: "options, labels or taints", of: ({ k3s }) => k3s?.config, effect: () => "k3sRestart" },
  { words: "cores", of: ({ cores }) => cores, effect: () => "live" },
  { words: "disk", of: ({ diskGiB }) => diskGiB, effect: () => "live" },
  { words: "start with the host", of: ({ startOnBoot, startup }) => [startOnBoot, startup], effect: () => "live" },
];

/** The most disruptive first. */
const BY_STRENGTH: readonly NodeEffect[] = ["rebuild", "reboot", "k3sRestart", "live"];

/**
 * What a change will do, before it happens. Pure.
 * @param former what the stack's state records; without nodes before the first `up`
 */
export function transitions(former: ClusterRecord, plan: ClusterPlan): Transitions {
  const byName = new Map(former.nodes.map((node) => [node.name, node]));
  const changes = plan.nodes.flatMap((node) => changeOf(byName.get(node.name), node, plan));
  const planned = new Set(plan.nodes.map(({ name }) => name));
  const leaving = former.nodes.filter(({ name }) => !planned.has(name));
  const all = [...changes, ...leaving.map(({ name }): NodeChange => ({ node: name, effect: "leave", reasons: [] }))];
  return { changes: all, refusals: refusals(former, plan, all) };
}

/**
 * If the config sets no MAC address, the one that Proxmox VE assigned does not change. If it sets no place in the order of
 * starts, the one that the guest has does not change: somebody may have set it by hand.
 */
function changeOf(former: NodeRecord | undefined, node: NodePlan, plan: ClusterPlan): NodeChange[] {
  if (!former) return [{ node: node.name, effect: "join", reasons: [] }];
  const kept = {
    ...(node.mac === undefined ? { mac: former.mac } : {}),
    ...(node.startup === undefined ? { startup: former.startup } : {}),
  };
  const wanted = { ...recordOf(node, plan), ...kept };
  const changed = ASPECTS.filter(({ of }) => !isDeepStrictEqual(of(former), of(wanted))).map(({ words, effect }) => ({
    words,
    effect: effect(wanted),
  }));
  const effect = BY_STRENGTH.find((each) => changed.some((aspect) => aspect.effect === each));
  if (effect === undefined) return [];
  const reasons = changed.filter((aspect) => aspect.effect === effect).map(({ words }) => words);
  return [{ node: node.name, effect, reasons }];
}
