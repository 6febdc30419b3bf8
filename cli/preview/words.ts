import { formatMiB } from "../../plan/differences";
import { type Capacity, UNKNOWN_STORAGE } from "./cluster";
import type { ControlPlane } from "./cluster";
import type { Review, Source } from "./review";
import { type Phase, PHASES, type Step } from "./steps";

/** The words of a review that text and Markdown share. */

/** A group of steps, with how they follow each other. */
export interface Group {
  readonly title: string;
  readonly steps: readonly { readonly place: number; readonly step: Step }[];
}

/** The steps in groups, with continuous numbers. */
export function groupsOf({ steps, concurrency }: Review): Group[] {
  const numbered = steps.map((step, at) => ({ place: at + 1, step }));
  return PHASES.flatMap((phase) => {
    const its = numbered.filter(({ step }) => step.phase === phase);
    const also = its.some(({ step }) => step.effect === "systemTrial") ? ", or try a new system" : "";
    return its.length === 0 ? [] : [{ title: titleOf(phase, concurrency, its[0]?.place === 1, also), steps: its }];
  });
}

function titleOf(phase: Phase, concurrency: number, isFirst: boolean, also: string): string {
  const pace = concurrency === 1 ? "one node at a time" : `${concurrency} nodes at a time`;
  const titles: Readonly<Record<Phase, string>> = {
    servers: "Servers, one after the other",
    joins: "New agents, all at the same time, once K3s runs on all servers",
    turns: `Agents that reboot or restart K3s${also}, ${pace}, in any order`,
    rebuilds: `Agents that are rebuilt, ${pace}${isFirst ? "" : ", after the steps above"}`,
    live: "Agents that change while they run, at any time",
    removals: "Removals, at the end",
  };
  return titles[phase];
}

const WHAT: Readonly<Record<Step["effect"], string>> = {
  live: "change while it runs",
  systemTrial: "trial of a new NixOS system",
  k3sRestart: "K3s restart",
  reboot: "reboot",
  rebuild: "drain and rebuild",
  join: "join",
  leave: "drain and removal",
};
export const whatOf = ({ effect, restartsToo }: Step): string =>
  WHAT[effect] + (restartsToo ? ", then K3s restart" : "");

export function whyOf({ effect, why, pool }: Step): string {
  if (effect === "join") return `new in the pool ${pool}`;
  return effect === "leave" ? "no longer in the config" : why.join("; ");
}

/** What a step disturbs, and for how long at most, one sentence each; empty if it disturbs nothing. */
export function disturbanceOf(step: Step, { controlPlane, onBlocked }: Review): string[] {
  const away = step.awaySeconds === undefined ? "" : `at most ${formatSeconds(step.awaySeconds)}`;
  const isDrained = step.drainSeconds !== undefined;
  const moved = step.drainSeconds === undefined ? "" : formatSeconds(step.drainSeconds);
  const pods = !isDrained
    ? "Its pods stop with it."
    : onBlocked === "stop"
      ? `Its pods move within ${moved}, or pulumi up stops and keeps the node.`
      : `Its pods move within ${moved}; those that cannot are deleted.`;
  const isAlone = step.role === "server" && controlPlane.before.servers === 1;
  const api = isAlone && step.awaySeconds !== undefined ? ["The Kubernetes API is down meanwhile."] : [];
  switch (step.effect) {
    case "live":
    case "join":
      return [];
    case "systemTrial":
      return ["K3s keeps running. If the new system does not start, the former one is back within 5 min."];
    case "k3sRestart":
      return [`Its pods keep running. K3s is down for ${away}.`, ...api];
    case "reboot":
      return [`Its pods stop and start again with it, without a drain. It is down for ${away}.`, ...api];
    case "rebuild":
      return [pods, `Then it is down for ${away}.`, ...api];
    case "leave":
      return [pods];
    default: {
      const exhaustive: never = step.effect;
      throw new Error(`unknown effect ${String(exhaustive)}`);
    }
  }
}

/** The first line: the kinds of steps, or why there are none. */
export function headline({ cluster, outcome, steps, refusals }: Review): string {
  if (outcome === "unchanged") return `${cluster}: no node changes`;
  if (outcome === "refused")
    return `${cluster}: refused, ${refusals.length === 1 ? "1 problem" : `${refusals.length} problems`}`;
  const kinds = [...new Set(steps.map(({ effect }) => effect))];
  const counted = kinds.map((kind) => {
    const count = steps.filter(({ effect }) => effect === kind).length;
    return `${count} × ${WHAT[kind]}`;
  });
  return `${cluster}: ${counted.join(", ")}`;
}

export const sourceOf = (source: Source): string =>
  source.kind === "state"
    ? `Compared with the state of the stack ${source.stack}.`
    : `Compared with the config in ${source.file} alone. The cluster's state was not read.`;

export const BOUNDS = "Each time is the longest that the timeouts allow; most steps are much faster.";
export const hasTimes = ({ steps }: Review): boolean =>
  steps.some(({ drainSeconds, awaySeconds }) => (drainSeconds ?? awaySeconds) !== undefined);

/** "3 on etcd, 1 may fail" before and after, or once if nothing changes. */
export function serversOf({ controlPlane: { before, after }, steps }: Review): string {
  const isDisturbed = steps.some(({ role, awaySeconds }) => role === "server" && awaySeconds !== undefined);
  const meanwhile = isDisturbed ? `; during the change ${before.servers - 1} of ${before.servers} answer` : "";
  return fromTo(planeWords(before), planeWords(after)) + meanwhile;
}

function planeWords({ servers, datastore, spares }: ControlPlane): string {
  if (datastore === "none") return "none";
  const place = datastore === "etcd" ? "etcd" : "SQLite";
  return `${servers} on ${place}, ${spares === 0 ? "none" : spares} may fail`;
}

/** A Proxmox VE node, and what the cluster's guests use there before and after. */
export interface CapacityRow {
  readonly proxmoxNode: string;
  readonly what: string;
  readonly change: string;
}

export function capacityRows({ capacity: { before, after } }: Review): CapacityRow[] {
  const places = [...new Set([...before, ...after].map(({ proxmoxNode }) => proxmoxNode))].sort();
  return places.flatMap((proxmoxNode) => {
    const [was, is] = [before, after].map((all) => all.find((each) => each.proxmoxNode === proxmoxNode));
    const row = (what: string, of: (capacity: Capacity) => number, words: (value: number) => string): CapacityRow => {
      const [from, to] = [was, is].map((each) => words(each === undefined ? 0 : of(each)));
      return { proxmoxNode, what, change: fromTo(from!, to!) };
    };
    const storages = [...new Set([was, is].flatMap((each) => Object.keys(each?.disks ?? {})))].sort();
    const hasSwap = [was, is].some((each) => (each?.swapMiB ?? 0) > 0);
    return [
      row("guests", ({ guests }) => guests, String),
      row("processor threads", ({ threads }) => threads, String),
      row("memory", ({ memoryMiB }) => memoryMiB, formatMiB),
      ...(hasSwap ? [row("swap", ({ swapMiB }) => swapMiB, formatMiB)] : []),
      ...storages.map((storage) =>
        row(
          storage === UNKNOWN_STORAGE ? "disk on an unknown storage" : `disk on ${storage}`,
          ({ disks }) => disks[storage] ?? 0,
          (gibibytes) => `${gibibytes}GB`,
        ),
      ),
    ];
  });
}

const fromTo = (from: string, to: string): string => (from === to ? to : `${from} → ${to}`);

/** "90 s", "12 min": rounded up, because it is a limit. */
export const formatSeconds = (seconds: number): string =>
  seconds < 120 ? `${seconds} s` : `${Math.ceil(seconds / 60)} min`;
