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

/** @param from a world at rest with a worker of each kind */
export const playChanges = (from: HomelabSnapshot, steps: readonly Edits[], counts: Counts): Promise<void> =>
  playGame(from, steps, (lab) => new ChangeGame(lab, counts));

/** The words of {@link Counts}. */
export const PAIRS = "pairs of plans";

/**
 * What the program announces is what `up` then does: each `up` is judged beforehand by the same pure functions, on the state as
 * the CLI exports it, and then by what happened to the machines.
 */
class ChangeGame implements Game<Edits> {
  readonly story: string[] = [];
  /** What the state recorded after the last `up`. */
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

  /** Said as announced, all at once, and nothing was touched. */
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

  /** Each node was disturbed as announced and no other, in the announced order, and few enough at a time. */
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

  /** Undefined where the edits do not fit together: then there is no pair. */
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

  /** The state as the CLI exports it, in the form in which the engine hands it to the program. */
  private async record(): Promise<ClusterRecord> {
    return parseState((await this.lab.pulumi("stack", "export")).stdout).record();
  }

  /** What a guest has that a change may alter in place, by its VMID. */
  private look(former: ClusterRecord, plan: ClusterPlan): ReadonlyMap<number, Look> {
    const { host, machines } = this.lab;
    return new Map(
      [...former.nodes, ...plan.nodes].map(({ vmId }) => {
        const options = host.conf(String(vmId))?.options;
        const isVm = options?.has("scsi0");
        const [, text] = /size=([^,]*)/.exec(options?.get(isVm ? "scsi0" : "rootfs") ?? "") ?? [];
        // Proxmox VE writes the same size in one unit or another.
        const size = text === undefined ? undefined : parseSize(text);
        // A machine reboots for its cores.
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

/** Nodes that are in the state or in the plan, with what has become of their guests. */
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

/** All that is announced for each node: the effect that its line names, and weaker ones beside it. */
function announcedLines(former: ClusterRecord, plan: ClusterPlan, { changes }: Transitions): string[] {
  return changes.map(({ node, effect }) => {
    const was = former.nodes.find(({ name }) => name === node);
    const is = plan.nodes.find(({ name }) => name === node);
    const weaker = was && is && effect !== "rebuild" ? differences(former, was, is, plan) : [];
    return effectLine(node, [effect, ...weaker.map((each) => each.effect)]);
  });
}

/** Pools and nodes are told by their keys' names. */
function refusalKind({ path, problem }: Transitions["refusals"][number]): string {
  const what = path.replace(/^cluster\.pools\.[^.]+/, "cluster.pools.<pool>");
  const [, words] = /^(cannot go down|cannot become v|cannot be changed.*?(?:leaves|is rebuilt))/.exec(problem) ?? [];
  const kind = words === undefined ? "" : ` (${words.replace(/.*(leaves|is rebuilt)/, "the only server $1")})`;
  return `refused: ${what}${path === "cluster.version" || what === "cluster.pools.<pool>" ? kind : ""}`;
}
