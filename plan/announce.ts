import { ownCommand } from "../config/ownCommand";
import type { ClusterPlan, OnDisks } from "./model";
import type { ClusterRecord } from "./record";
import { type NodeChange, type NodeEffect, type Transitions, WITH_NEW_MACHINE } from "./transitions";

/** The words of a preview for effects that disturb a node. */
const WORDS: Readonly<Partial<Record<NodeEffect, string>>> = {
  systemTrial: "trial of a new NixOS system while K3s runs",
  k3sRestart: "K3s restart",
  reboot: "reboot",
  rebuild: "drain and rebuild",
};

/** One line for each node that the change disturbs or removes, in the plan's order. */
export function announcements({ changes }: Transitions, { rollout: { concurrency }, removal }: ClusterPlan): string[] {
  const pace = concurrency === 1 ? "one node at a time" : `${concurrency} nodes at a time`;
  return changes.flatMap((change) => lineOf(change, pace, removal));
}

function lineOf(
  { node, effect, reasons, disks }: NodeChange,
  pace: string,
  { onDisks }: ClusterPlan["removal"],
): string[] {
  if (effect === "leave") {
    const further = disks === undefined ? "" : `; ${fateOfDisks(disks, onDisks)}`;
    return [`${node}: drain and removal; its guest is destroyed with its disk${further}`];
  }
  const words = WORDS[effect];
  return words === undefined ? [] : [`${node}: ${words}, for its ${reasons.join(" and ")}; ${pace}`];
}

/** What a removal does with the further disks of a node. */
export function fateOfDisks({ serials, vmId }: NonNullable<NodeChange["disks"]>, onDisks: OnDisks): string {
  const [disks, are] = serials.length === 1 ? ["its further disk", "is"] : ["its further disks", "are"];
  const named = `${disks} ${serials.join(" and ")}`;
  return onDisks === "delete" ? `${named} ${are} deleted too` : `${named} ${are} kept on guest ${vmId}`;
}

/**
 * The plan's warnings that a preview shows. Some warnings are only about new nodes, so they are shown only if a node joins:
 * nobody reads a warning that appears in every run.
 */
export function notices({ changes }: Transitions, { warnings }: ClusterPlan): string[] {
  const comes = changes.some(({ effect }) => WITH_NEW_MACHINE.includes(effect));
  const isNewRelease = changes.some(({ reasons }) => reasons.includes("version"));
  return warnings
    .filter(({ about }) => about === undefined || comes || (about === "a new release" && isNewRelease))
    .map(({ text }) => text);
}

/** Effects after which the program has seen that the node is Ready. */
const SEEN_READY: ReadonlySet<NodeEffect> = new Set([...WITH_NEW_MACHINE, "reboot", "k3sRestart"]);

/** The last line of a successful `up`: which nodes it has seen Ready, and what to do next. */
export function closing(former: ClusterRecord, { changes }: Transitions, plan: ClusterPlan): string {
  const { name, version, nodes } = plan;
  const seen = changes.filter(({ effect }) => SEEN_READY.has(effect)).map(({ node }) => node);
  if (seen.length === 0)
    // No node was checked in this run. The program does not know what a refresh or --replace did.
    return `${name}: the config disturbs no node. next: ${ownCommand("status")}, which checks whether all ${nodes.length} are Ready`;
  const who = `${seen.length === nodes.length ? `all ${seen.length} nodes` : seen.join(", ")} ${seen.length === 1 ? "is" : "are"}`;
  const next =
    former.nodes.length > 0
      ? `${ownCommand("status")}, which compares the cluster with the plan`
      : `${ownCommand("kubeconfig --merge")}, then kubectl --context ${name} get nodes`;
  return `${name}: ${who} Ready at K3s ${version}. next: ${next}`;
}
