import type { Step } from "../../../cli/preview/steps";
import { parseStep } from "../../../plan/steps";
import type { NodeEffect } from "../../../plan/transitions";
import type { Entry } from "../journal";

/** A node before an `up` and after it. */
export interface Standing {
  readonly name: string;
  /** VMID of its guest before; absent for a new node. */
  readonly was?: number | undefined;
  /** VMID of its guest in the plan; absent for a node that is removed. */
  readonly is?: number | undefined;
  /** Its K3s has new settings, which need a restart. */
  readonly hasNewK3s: boolean;
  /** Its guest has new settings, which need no reboot. */
  readonly hasNewSettings: boolean;
}

interface Span {
  readonly node: string;
  readonly began: number;
  readonly ended: number;
}

/** The effects of an `up` on a node, by the journal. */
export interface Happening extends Span {
  /** The most disruptive effect first. */
  readonly effects: readonly Effect[];
  /** The times in which a node that stays was not Ready. */
  readonly away: readonly Span[];
}

/** `drain`: drained, but its machine stays. */
type Effect = NodeEffect | "drain";

const BY_STRENGTH: readonly Effect[] = ["join", "rebuild", "leave", "drain", "reboot", "k3sRestart", "live"];
const STILL_AWAY = Infinity;

/** The effects on a node in one line, `NAME reboot + k3sRestart`. */
export const effectLine = (node: string, effects: Iterable<Effect>): string =>
  `${node} ${BY_STRENGTH.filter((effect) => new Set(effects).has(effect)).join(" + ")}`;

/** The effects on each node that was disturbed or changed. Pure. */
export const happenings = (entries: readonly Entry[], nodes: readonly Standing[]): Happening[] =>
  nodes.flatMap((node) => happeningOf(entries, node) ?? []);

function happeningOf(entries: readonly Entry[], node: Standing): Happening | undefined {
  const { name, was, is } = node;
  const its = entries.filter(({ what }) => isOf(what, name, [was, is]));
  const has = (what: string): boolean => its.some((entry) => entry.what === what);
  const made = has(`guest ${is} create`) || has(`guest ${is} clone`);
  const gone = has(`guest ${was} destroy`);
  const away = was === undefined || is === undefined ? [] : awaySpans(node, its);
  const effects: Effect[] = [
    ...(made ? [gone ? ("rebuild" as const) : ("join" as const)] : gone ? ["leave" as const] : []),
    ...(has(`${name}-leave delete`) && !gone ? ["drain" as const] : []),
    ...(!made && !gone && its.some(({ what }) => HALTS.test(what)) ? ["reboot" as const] : []),
    ...(!made && !gone && node.hasNewK3s ? ["k3sRestart" as const] : []),
    ...(!made && !gone && node.hasNewSettings ? ["live" as const] : []),
  ];
  if (effects.length === 0) return undefined;
  const parts = made || gone ? its.filter(({ what }) => MEMBERSHIP.test(what)) : away.map(toEntry);
  const began = Math.min(...parts.map((part) => part.began));
  const ended = Math.max(...parts.map((part) => part.ended ?? STILL_AWAY));
  return { node: name, effects, away, began, ended };
}

const HALTS = /^guest \d+ (?:shutdown|stop|start)$/;
/** The first and the last entry of a node that joins, leaves or is rebuilt. */
const MEMBERSHIP = /^guest \d+ (?:create|clone|destroy)$|-leave delete$|-ready create$/;
const toEntry = ({ began, ended }: Span): Pick<Entry, "began" | "ended"> => ({ began, ended });

function isOf(what: string, name: string, vmIds: readonly (number | undefined)[]): boolean {
  const [, guest] = /^guest (\d+) /.exec(what) ?? [];
  return guest === undefined ? parseStep(what.split(" ")[0]!)?.of === name : vmIds.includes(Number(guest));
}

/** Each time from the first step that takes a node away to the check that finds it Ready. */
function awaySpans({ name, hasNewK3s }: Standing, its: readonly Entry[]): Span[] {
  const goes = (what: string): boolean =>
    HALTS.test(what) || what === `${name}-leave delete` || (hasNewK3s && what === `${name}-k3s update`);
  const spans: Span[] = [];
  let began: number | undefined;
  for (const entry of its) {
    if (goes(entry.what)) began ??= entry.began;
    const isBack = [`${name}-back look`, `${name}-ready create`].includes(entry.what) && entry.failure === undefined;
    if (!isBack || began === undefined) continue;
    spans.push({ node: name, began, ended: entry.ended ?? STILL_AWAY });
    began = undefined;
  }
  return began === undefined ? spans : [...spans, { node: name, began, ended: STILL_AWAY }];
}

/** A line for each entry of a guest that is no node's. */
export function strangerProblems(entries: readonly Entry[], nodes: readonly Standing[]): string[] {
  const known = nodes.flatMap(({ was, is }) => [was, is]);
  const others = entries.filter(({ what }) => {
    const [, vmId] = /^guest (\d+) /.exec(what) ?? [];
    return vmId !== undefined && !known.includes(Number(vmId));
  });
  return others.map(({ what }) => `no node has this guest: ${what}`);
}

/** Lines if more nodes were away at the same time than the config allows, or if one did not come back. */
export function awayProblems(happened: readonly Happening[], concurrency: number): string[] {
  const spans = happened.flatMap(({ away }) => away);
  const lost = spans.filter(({ ended }) => ended === STILL_AWAY).map(({ node }) => `${node} does not come back`);
  const crowded = spans.flatMap(({ node, began }) => {
    const names = spans.filter((span) => span.began <= began && began < span.ended).map((span) => span.node);
    return names.length > concurrency ? [`${names.join(", ")} are away at once when ${node} goes`] : [];
  });
  return [...lost, ...crowded];
}

/** Lines if a node began before those that it must wait for, or if a node left before everything else was done. */
export function orderProblems(happened: readonly Happening[], steps: readonly Step[]): string[] {
  const byName = new Map(happened.map((each) => [each.node, each]));
  const isRemoval = ({ phase }: Step): boolean => phase === "removals";
  return steps.flatMap((step) => {
    const before = steps.filter((other) => step.after.includes(other.node) || (isRemoval(step) && !isRemoval(other)));
    const [its, others] = [byName.get(step.node), before.flatMap(({ node }) => byName.get(node) ?? [])];
    return others
      .filter(({ ended }) => its !== undefined && its.began < ended)
      .map(({ node }) => `${step.node} begins before ${node} is done`);
  });
}
