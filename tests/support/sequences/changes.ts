import fc from "fast-check";
import { parseState } from "../../../cli/state";
import { formatProblem } from "../../../config/problems";
import { loadPlan } from "../../../plan/load";
import type { ClusterRecord } from "../../../plan/record";
import { type NodeEffect, type Transitions, transitions } from "../../../plan/transitions";
import type { ClusterConfig, Homelab, HomelabSnapshot } from "../homelab";
import type { Entry } from "../journal";
import type { PulumiResult } from "../pulumiResult";
import { difference } from "./promises";
import { type Game, playGame, textOf } from "./runs";

/** A change of the config. Workers are told by their index. */
type Edit =
  | { readonly edit: "count"; readonly to: number }
  | { readonly edit: "retire"; readonly index: number }
  | { readonly edit: "memory" | "disk" | "vmId" | "mac"; readonly index: number; readonly to: number }
  | { readonly edit: "cores" | "serverMemory" | "concurrency"; readonly to: number }
  | { readonly edit: "version" | "tier" | "podCidr" | "name" | "serverVmId"; readonly to: string };

/** What one `up` gets: edits of one hand. */
export type Edits = readonly Edit[];

const index = fc.integer({ min: 1, max: 3 });
const number = <E extends Edit["edit"]>(edit: E, min: number, max: number) =>
  fc.record({ edit: fc.constant(edit), to: fc.integer({ min, max }) });
const ofNode = <E extends Edit["edit"]>(edit: E, min: number, max: number) =>
  fc.record({ edit: fc.constant(edit), index, to: fc.integer({ min, max }) });
const word = <E extends Edit["edit"]>(edit: E, ...words: string[]) =>
  fc.record({ edit: fc.constant(edit), to: fc.constantFrom(...words) });

const edit: fc.Arbitrary<Edit> = fc.oneof(
  { weight: 3, arbitrary: number("count", 0, 4) },
  { weight: 2, arbitrary: fc.record({ edit: fc.constant("retire" as const), index }) },
  { weight: 3, arbitrary: ofNode("memory", 8, 10) },
  { weight: 2, arbitrary: ofNode("disk", 49, 53) },
  { weight: 3, arbitrary: ofNode("vmId", 200, 203) },
  { weight: 2, arbitrary: ofNode("mac", 0, 2) },
  { weight: 1, arbitrary: number("cores", 2, 4) },
  { weight: 1, arbitrary: number("serverMemory", 4, 6) },
  { weight: 2, arbitrary: number("concurrency", 1, 2) },
  { weight: 2, arbitrary: word("version", "v1.36.3+k3s1", "v1.36.4+k3s1", "v1.35.4+k3s1", "v1.38.0+k3s1") },
  { weight: 2, arbitrary: word("tier", "one", "two") },
  { weight: 1, arbitrary: word("podCidr", "10.42.0.0/16", "10.99.0.0/16") },
  { weight: 1, arbitrary: word("name", "homelab", "lab2") },
  { weight: 1, arbitrary: word("serverVmId", "100", "300") },
);

/** Some `up`s, each with one to three edits. */
export const editSequences: fc.Arbitrary<readonly Edits[]> = fc.array(fc.array(edit, { minLength: 1, maxLength: 3 }), {
  minLength: 4,
  maxLength: 6,
});

/** @param from a world at rest with two workers */
export const playChanges = (from: HomelabSnapshot, steps: readonly Edits[]): Promise<void> =>
  playGame(from, steps, (lab) => new ChangeGame(lab));

/**
 * What the program announces is what `up` then does: each `up` is judged beforehand by the same pure functions, on the state as
 * the CLI exports it, and then by what happened to the machines.
 */
class ChangeGame implements Game<Edits> {
  readonly story: string[] = [];

  constructor(private readonly lab: Homelab) {}

  async step(edits: Edits): Promise<void> {
    this.story.push(`- ${JSON.stringify(edits)}`);
    const before = structuredClone<ClusterConfig>(this.lab.cluster);
    for (const each of edits) this.lab.edit((cluster) => apply(each, cluster));
    const former = await this.former();
    const expected = transitions(former, loadPlan(this.lab.cluster));
    this.story.push(`  ${expected.refusals.map(formatProblem).join("; ") || JSON.stringify(expected.changes)}`);
    this.lab.journal.clear();
    const run = await this.lab.up();
    this.story.push(`  pulumi up: ${run.code === 0 ? "ok" : textOf(run)}`);
    if (expected.refusals.length > 0) {
      this.report(refusalProblems(expected, run, this.lab));
      this.lab.edit((cluster) => {
        for (const key of Object.keys(cluster)) delete cluster[key];
        Object.assign(cluster, before);
      });
      return;
    }
    const { concurrency } = loadPlan(this.lab.cluster).rollout;
    this.report([
      ...(run.code === 0 ? [] : [`up fails, and nothing was refused:\n${textOf(run)}`]),
      ...difference(
        "effects",
        this.seen(former),
        expected.changes.map(({ node, effect }) => `${node} ${effect}`).filter((line) => !line.endsWith(" live")),
      ),
      ...awayProblems(this.lab.journal.entries, expected, concurrency),
    ]);
  }

  async end(): Promise<void> {
    this.story.push("- the end");
    const second = await this.lab.up();
    this.report(difference("changes of a second up", Object.keys(second.changes), []));
    this.report(
      difference("what is still to change", transitions(await this.former(), loadPlan(this.lab.cluster)).changes, []),
    );
  }

  /** The state as the CLI exports it, in the form in which the engine hands it to the program. */
  private async former(): Promise<ClusterRecord> {
    return parseState((await this.lab.pulumi("stack", "export")).stdout).record();
  }

  /** What happened to each node, `NAME effect`. */
  private seen(former: ClusterRecord): string[] {
    const whats = new Set(this.lab.journal.whats());
    const plan = loadPlan(this.lab.cluster);
    const names = new Set([...former.nodes, ...plan.nodes].map(({ name }) => name));
    return [...names].flatMap((name) => {
      const [was, is] = [former.nodes, plan.nodes].map((nodes) => nodes.find((node) => node.name === name)?.vmId);
      const effect = seenOf(name, was, is, whats);
      return effect === undefined ? [] : [`${name} ${effect}`];
    });
  }

  private report(problems: readonly string[]): void {
    if (problems.length > 0) throw new Error(problems.join("\n"));
  }
}

function seenOf(
  name: string,
  was: number | undefined,
  is: number | undefined,
  whats: ReadonlySet<string>,
): NodeEffect | undefined {
  const [made, gone] = [whats.has(`guest ${is} create`), whats.has(`guest ${was} destroy`)];
  if (made) return gone ? "rebuild" : "join";
  if (gone) return "leave";
  if (whats.has(`guest ${is} start`)) return "reboot";
  return whats.has(`${name}-k3s update`) ? "k3sRestart" : undefined;
}

function refusalProblems({ refusals }: Transitions, run: PulumiResult, lab: Homelab): string[] {
  const said = run.errors.join("\n");
  return [
    ...(run.code === 0 ? ["up ends well, though it should be refused"] : []),
    ...refusals.map(formatProblem).flatMap((line) => (said.includes(line) ? [] : [`up does not say: ${line}`])),
    ...difference("what a refused up did", lab.journal.whats(), []),
  ];
}

/** More nodes that stood were away at the same time than the config allows. */
function awayProblems(entries: readonly Entry[], { changes }: Transitions, concurrency: number): string[] {
  const spans = changes.flatMap(({ node, effect }) => {
    const of = (...steps: string[]): Entry[] =>
      entries.filter(({ what }) => steps.some((step) => what === `${node}-${step}`));
    const bounds: Readonly<Record<NodeEffect, readonly [Entry[], Entry[]]>> = {
      rebuild: [of("leave delete"), of("ready create")],
      reboot: [of("back look"), of("back look")],
      k3sRestart: [of("k3s update"), of("back look", "k3s update")],
      live: [[], []],
      join: [[], []],
      leave: [[], []],
    };
    const [begins, ends] = bounds[effect];
    const [from, to] = [begins[0]?.began, ends.at(-1)?.ended];
    return from === undefined || to === undefined ? [] : [{ node, from, to }];
  });
  const crowded = spans.flatMap(({ node, from }) => {
    const away = spans.filter((span) => span.from <= from && from < span.to).map((span) => span.node);
    return away.length > concurrency ? [`${away.join(", ")} are away at once when ${node} goes`] : [];
  });
  return crowded;
}

function apply(change: Edit, cluster: ClusterConfig): void {
  const { worker, master } = cluster.pools;
  const own = (at: number) => ((worker.nodes ??= {})[at] ??= {});
  switch (change.edit) {
    case "count":
      worker.count = change.to;
      return;
    case "retire": {
      const retired: number[] = worker.retired ?? [];
      worker.retired = retired.includes(change.index)
        ? retired.filter((each) => each !== change.index)
        : [...retired, change.index];
      return;
    }
    case "memory":
      own(change.index).memory = `${change.to}GB`;
      return;
    case "disk":
      own(change.index).disk = `${change.to}GB`;
      return;
    case "vmId":
      // Its own number again, or one that no other index gets.
      own(change.index).vmId = change.to === 200 ? 101 + change.index : 10 * change.to + change.index;
      return;
    case "mac":
      if (change.to === 0) delete own(change.index).mac;
      else own(change.index).mac = `BC:24:11:00:0${change.to}:0${change.index}`;
      return;
    case "cores":
      worker.cores = change.to;
      return;
    case "serverMemory":
      master.memory = `${change.to}GB`;
      return;
    case "concurrency":
      cluster.rollout = { concurrency: change.to };
      return;
    case "version":
      cluster.version = change.to;
      return;
    case "tier":
      worker.labels = { tier: change.to };
      return;
    case "podCidr":
      cluster.network.podCidr = change.to;
      return;
    case "name":
      cluster.name = change.to;
      // The pool of Proxmox VE is another matter.
      cluster.proxmox.resourcePool = "homelab";
      return;
    case "serverVmId":
      master.vmIds = { from: Number(change.to) };
  }
}
