import { isDeepStrictEqual } from "node:util";
import { stepsOf } from "../../../cli/preview/steps";
import { parseState } from "../../../cli/state";
import { parseSize } from "../../../lab/pve/schema/sizes";
import { ConfigError, loadPlan } from "../../../plan/load";
import { differences } from "../../../plan/differences";
import type { ClusterPlan } from "../../../plan/model";
import type { ClusterRecord } from "../../../plan/record";
import { type Transitions, transitions } from "../../../plan/transitions";
import type { ClusterConfig, Homelab, HomelabSnapshot } from "../homelab";
import type { PulumiResult } from "../pulumiResult";
import type { Counts } from "./counts";
import { awayProblems, effectLine, happenings, orderProblems, type Standing, strangerProblems } from "./disturbances";
import { applyEdit, type Edits } from "./edits";
import { difference } from "./promises";
import { type Game, playGame, textOf } from "./runs";

/** @param from a saved homelab with a worker of each kind */
export const playChanges = (from: HomelabSnapshot, steps: readonly Edits[], counts: Counts): Promise<void> =>
  playGame(from, steps, (lab) => new ChangeGame(lab, counts));

/** A name in {@link Counts}. */
export const PAIRS = "pairs of plans";

/**
 * Checks that `up` does what the program announces. Before each `up`, the same pure functions compute the announcement from the
 * exported state; after it, the journal shows what happened to the machines.
 */
class ChangeGame implements Game<Edits> {
  readonly story: string[] = [];
  /** The record in the state after the last `up`. */
  private former?: ClusterRecord;

  constructor(
    private readonly lab: Homelab,
    private readonly counts: Counts,
  ) {}

  async step(edits: Edits): Promise<void> {
    const before = structuredClone<ClusterConfig>(this.lab.cluster);
    for (const each of edits) this.lab.edit((cluster) => applyEdit(each, cluster));
    const plan = this.plan();
    if (plan === undefined) return this.putBack(before);
    this.story.push(`- ${JSON.stringify(edits)}`);
    const former = (this.former ??= await this.record());
    const change = transitions(former, plan);
    this.count(change, plan);
    if (change.refusals.length === 0) return this.applied(former, plan, change);
    await this.refused(former, change);
    this.putBack(before);
  }

  async end(): Promise<void> {
    this.story.push("- the end");
    const second = await this.up();
    this.report(difference("changes of a second up", Object.keys(second.changes), []));
  }

  /** `up` must refuse with the announced message, all at once, and touch nothing. */
  private async refused(former: ClusterRecord, { refusals }: Transitions): Promise<void> {
    const { message } = new ConfigError(refusals);
    this.story.push(`  to be refused: ${message}`);
    const run = await this.up();
    this.report([
      ...(run.code === 0 ? ["up ends well, though it should be refused"] : []),
      ...(run.errors.join("\n").includes(message) ? [] : ["up does not say what was announced"]),
      ...difference("what a refused up did", this.lab.journal.whats(), []),
      ...(isDeepStrictEqual(await this.record(), former) ? [] : ["the state has changed"]),
    ]);
  }

  /** Exactly the announced nodes must be disturbed, as announced, in that order, and not too many at a time. */
  private async applied(former: ClusterRecord, plan: ClusterPlan, change: Transitions): Promise<void> {
    const announced = announcedLines(former, plan, change);
    this.story.push(`  to happen, ${plan.rollout.concurrency} at a time: ${announced.join(", ") || "nothing"}`);
    const look = this.look(former, plan);
    const run = await this.up();
    const { entries } = this.lab.journal;
    const nodes = standings(former, plan, look, this.look(former, plan));
    const happened = happenings(entries, nodes);
    this.former = await this.record();
    this.report([
      ...(run.code === 0 ? [] : [`up fails, and nothing was refused:\n${textOf(run)}`]),
      ...difference(
        "effects",
        happened.map(({ node, effects }) => effectLine(node, effects)),
        announced,
      ),
      ...strangerProblems(entries, nodes),
      ...orderProblems(happened, stepsOf(former, plan, change)),
      ...awayProblems(happened, plan.rollout.concurrency),
      ...difference("what is still to change", transitions(this.former, plan).changes, []),
    ]);
  }

  private async up(): Promise<PulumiResult> {
    this.lab.journal.clear();
    const run = await this.lab.up();
    this.story.push(`  pulumi up: ${run.code === 0 ? "ok" : textOf(run)}`);
    return run;
  }

  /** Undefined if the edits contradict each other: then there is no pair. */
  private plan(): ClusterPlan | undefined {
    try {
      return loadPlan(this.lab.cluster);
    } catch (error) {
      if (error instanceof ConfigError) return undefined;
      throw error;
    }
  }

  private putBack(before: ClusterConfig): void {
    this.lab.edit((cluster) => {
      for (const key of Object.keys(cluster)) delete cluster[key];
      Object.assign(cluster, before);
    });
  }

  private count({ changes, refusals }: Transitions, { rollout: { concurrency } }: ClusterPlan): void {
    const disturbed = changes.filter(({ effect }) => ["k3sRestart", "reboot", "rebuild"].includes(effect));
    this.counts.add(PAIRS);
    this.counts.add(refusals.length > 0 ? "pairs refused" : changes.length > 0 ? "pairs applied" : "pairs unchanged");
    if (refusals.length === 0 && disturbed.length > concurrency)
      this.counts.add("pairs in which nodes wait for a turn");
    const kinds = refusals.length > 0 ? refusals.map(refusalKind) : changes.map(({ effect }) => `node: ${effect}`);
    for (const kind of kinds) this.counts.add(kind);
  }

  /** The exported state, in the form in which the engine gives it to the program. */
  private async record(): Promise<ClusterRecord> {
    return parseState((await this.lab.pulumi("stack", "export")).stdout).record();
  }

  /** The options of each guest that a change can set in place, by VMID. */
  private look(former: ClusterRecord, plan: ClusterPlan): ReadonlyMap<number, Look> {
    const { host, machines } = this.lab;
    return new Map(
      [...former.nodes, ...plan.nodes].map(({ vmId }) => {
        const options = host.conf(String(vmId))?.options;
        const isVm = options?.has("scsi0");
        const [, text] = /size=([^,]*)/.exec(options?.get(isVm ? "scsi0" : "rootfs") ?? "") ?? [];
        // Proxmox VE may write the same size in different units.
        const size = text === undefined ? undefined : parseSize(text);
        // A virtual machine reboots for a change of its cores.
        const settings = [...(isVm ? [] : ["cores"]), "onboot", "startup"].map((key) => options?.get(key));
        return [vmId, { k3s: machines.disks.get(vmId)?.k3s, settings: [size, ...settings] }];
      }),
    );
  }

  private report(problems: readonly string[]): void {
    if (problems.length > 0) throw new Error(problems.join("\n"));
  }
}

interface Look {
  readonly k3s: unknown;
  readonly settings: readonly unknown[];
}

/** Nodes that are in the state or in the plan, with their guests before and after. */
function standings(
  former: ClusterRecord,
  plan: ClusterPlan,
  before: ReadonlyMap<number, Look>,
  after: ReadonlyMap<number, Look>,
): Standing[] {
  const vmIdIn = (nodes: readonly { name: string; vmId: number }[], name: string): number | undefined =>
    nodes.find((node) => node.name === name)?.vmId;
  const names = new Set([...former.nodes, ...plan.nodes].map(({ name }) => name));
  return [...names].map((name) => {
    const [was, is] = [vmIdIn(former.nodes, name), vmIdIn(plan.nodes, name)];
    const differs = (of: keyof Look): boolean =>
      is !== undefined && was === is && !isDeepStrictEqual(before.get(is)?.[of], after.get(is)?.[of]);
    return { name, was, is, hasNewK3s: differs("k3s"), hasNewSettings: differs("settings") };
  });
}

/** Everything announced for each node: the effect in its line, and weaker ones. */
function announcedLines(former: ClusterRecord, plan: ClusterPlan, { changes }: Transitions): string[] {
  return changes.map(({ node, effect }) => {
    const was = former.nodes.find(({ name }) => name === node);
    const is = plan.nodes.find(({ name }) => name === node);
    const weaker = was && is && effect !== "rebuild" ? differences(former, was, is, plan) : [];
    return effectLine(node, [effect, ...weaker.map((each) => each.effect)]);
  });
}

/** Replaces the names of pools, so that equal refusals count as one kind. */
function refusalKind({ path, problem }: Transitions["refusals"][number]): string {
  const what = path.replace(/^cluster\.pools\.[^.]+/, "cluster.pools.<pool>");
  const [, words] = /^(cannot go down|cannot become v|cannot be changed.*?(?:leaves|is rebuilt))/.exec(problem) ?? [];
  const kind = words === undefined ? "" : ` (${words.replace(/.*(leaves|is rebuilt)/, "the only server $1")})`;
  return `refused: ${what}${path === "cluster.version" || what === "cluster.pools.<pool>" ? kind : ""}`;
}
