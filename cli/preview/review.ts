import { ownCommand } from "../../config/ownCommand";
import { ConfigError, type Problem } from "../../config/problems";
import { loadPlan } from "../../plan/load";
import type { ClusterPlan, OnBlocked } from "../../plan/model";
import type { ClusterRecord } from "../../plan/record";
import { transitions } from "../../plan/transitions";
import { capacities, type Capacity, type ControlPlane, controlPlane, nodesAfter } from "./cluster";
import { type Step, stepsOf } from "./steps";

/** Where the former cluster was read from. */
export type Source =
  { readonly kind: "state"; readonly stack: string } | { readonly kind: "file"; readonly file: string };

/** The former cluster, and what is not known about it. */
export interface Former {
  readonly record: ClusterRecord;
  readonly source: Source;
  /** Resources that an interrupted run was changing, by name. */
  readonly unfinished: readonly string[];
}

export interface BeforeAfter<T> {
  readonly before: T;
  readonly after: T;
}

/** What a reviewer wants to know about a change. Plain data: `--json` prints it as it is. */
export interface Review {
  readonly cluster: string;
  readonly source: Source;
  readonly outcome: "unchanged" | "changes" | "refused";
  /** How many nodes the change may disturb at a time. */
  readonly concurrency: number;
  /** What a removal does if pods cannot be evicted in time. */
  readonly onBlocked: OnBlocked;
  /** In the order of the changes; empty if the change is refused. */
  readonly steps: readonly Step[];
  readonly controlPlane: BeforeAfter<ControlPlane>;
  readonly capacity: BeforeAfter<readonly Capacity[]>;
  /** More information for a reviewer, one sentence each. */
  readonly notes: readonly string[];
  /** What is not known, one sentence each. */
  readonly unknown: readonly string[];
  readonly refusals: readonly Problem[];
}

/**
 * What a config does to the former cluster; a config that cannot be planned is refused. Pure.
 * @param cluster the object under `cluster`, not checked
 */
export function reviewOfConfig(former: Former, stack: string, cluster: unknown): Review {
  try {
    return reviewOf(former, loadPlan(cluster));
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return refused(former, stack, error.problems);
  }
}

/** What the plan does to the former cluster. Pure. */
export function reviewOf(former: Former, plan: ClusterPlan): Review {
  const { record, source, unfinished } = former;
  const change = transitions(record, plan);
  if (change.refusals.length > 0) return refused(former, plan.name, change.refusals);
  const after = nodesAfter(record, plan, change);
  const steps = stepsOf(record, plan, change);
  return {
    cluster: plan.name,
    source,
    outcome: steps.length > 0 ? "changes" : "unchanged",
    concurrency: plan.rollout.concurrency,
    onBlocked: plan.removal.onBlocked,
    steps,
    controlPlane: { before: controlPlane(record.nodes), after: controlPlane(after) },
    capacity: { before: capacities(record.nodes), after: capacities(after) },
    notes: notes(record, plan, steps),
    unknown: unknown(source, unfinished, record, plan),
    refusals: [],
  };
}

/** The review of a change that is not possible, or of a config without a valid plan: the cluster does not change. Pure. */
export function refused({ record, source, unfinished }: Former, cluster: string, problems: readonly Problem[]): Review {
  const [plane, capacity] = [controlPlane(record.nodes), capacities(record.nodes)];
  return {
    cluster,
    source,
    outcome: "refused",
    concurrency: 1,
    onBlocked: "stop",
    steps: [],
    controlPlane: { before: plane, after: plane },
    capacity: { before: capacity, after: capacity },
    notes: [],
    unknown: unknown(source, unfinished, record),
    refusals: new ConfigError(problems).problems,
  };
}

function notes(former: ClusterRecord, plan: ClusterPlan, steps: readonly Step[]): string[] {
  return [
    ...Object.keys(former.halfMade ?? {}).map(
      (name) =>
        `The creation of ${name} failed half-way: what there is of its guest is destroyed, and created again if it is still a node.`,
    ),
    ...keptStorages(former, plan, steps),
    ...goneAddresses(former, plan, steps),
    ...plan.warnings.filter(({ path }) => path !== undefined).map(({ text }) => `${text}.`),
  ];
}

/** A sentence for each storage that the config replaces and that nodes do not change to. */
function keptStorages({ nodes }: ClusterRecord, plan: ClusterPlan, steps: readonly Step[]): string[] {
  const rebuilt = new Set(steps.filter(({ effect }) => effect === "rebuild").map(({ node }) => node));
  const wanted = new Map(plan.nodes.map((node) => [node.name, node.storage]));
  const exchanges = nodes.flatMap(({ name, storage }) => {
    const other = wanted.get(name);
    const isKept = other !== undefined && storage !== undefined && other !== storage && !rebuilt.has(name);
    return isKept ? [{ name, storages: `on the storage ${storage}, not ${other}` }] : [];
  });
  return [...new Set(exchanges.map(({ storages }) => storages))].map((storages) => {
    const names = exchanges.filter((each) => each.storages === storages).map(({ name }) => name);
    return `${names.join(", ")} ${names.length === 1 ? "stays" : "stay"} ${storages}: a storage applies only to new guests.`;
  });
}

function goneAddresses({ nodes }: ClusterRecord, plan: ClusterPlan, steps: readonly Step[]): string[] {
  const gone = steps.filter(({ effect, role }) => effect === "leave" && role === "server").map(({ node }) => node);
  return nodes
    .filter(({ name }) => gone.includes(name))
    .map(
      ({ address }) =>
        `A kubeconfig that names ${address} stops working. The stack's new one names ${plan.servers[0]?.address}.`,
    );
}

function unknown(
  source: Source,
  unfinished: readonly string[],
  { nodes }: ClusterRecord,
  plan?: ClusterPlan,
): string[] {
  return [
    ...(source.kind === "file"
      ? [
          `Whether the cluster is as ${source.file} says. A run that failed, or a config that was never applied, is not seen.`,
        ]
      : []),
    ...(unfinished.length > 0
      ? [`What an interrupted run left of ${unfinished.join(", ")}. Run ${ownCommand("recover")} first.`]
      : []),
    ...(Object.values(plan?.k3s.registries?.configs ?? {}).some(({ auth, caFile }) => auth || caFile !== undefined)
      ? [
          "Whether a password or a CA of a registry changes, which restarts K3s: passwords are secrets. `pulumi preview` shows it.",
        ]
      : []),
    ...nodes
      .filter(({ k3s }) => k3s === undefined)
      .map(({ name }) => `What runs on ${name}: the state records its guest, but no K3s on it.`),
    "What is on the Proxmox VE host and in the cluster: free memory and space, pods, volumes, disruption budgets, and changes that somebody made by hand.",
  ];
}
