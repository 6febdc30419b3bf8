import * as fs from "node:fs";

/** The result of a run of `pulumi`. */
export interface PulumiResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** The event log (`--event-log`), unchanged. */
  readonly events: string;
  /**
   * By name of the resource, the engine's operations, done or previewed, in order: `create`, `update`, `delete`, and for a
   * replacement `delete-replaced`, `replace`, `create-replacement`. Resources without a change are left out, and so are
   * components, which only reflect their children.
   */
  readonly changes: Readonly<Record<string, readonly string[]>>;
  /** Names of resources in the order in which they were made. */
  readonly made: readonly string[];
  /** Names of resources whose operation failed. */
  readonly failed: readonly string[];
  readonly warnings: readonly string[];
  readonly errors: readonly string[];
  /** By name of the resource, everything printed about it. Messages about no resource are under the empty name. */
  readonly said: Readonly<Record<string, string>>;
  /** By name of the resource, how long its operation took, in whole seconds. */
  readonly seconds: Readonly<Record<string, number>>;
  /** By name of the resource, when its operation ended, in whole seconds since the epoch. */
  readonly ended: Readonly<Record<string, number>>;
}

const NO_CHANGE = ["same", "refresh"];

/** The used part of a line of `--event-log`. */
interface EngineEvent {
  /** Seconds since the epoch. */
  readonly timestamp: number;
  readonly resourcePreEvent?: { readonly metadata: StepMetadata };
  readonly resOutputsEvent?: { readonly metadata: StepMetadata };
  readonly resOpFailedEvent?: { readonly metadata: StepMetadata };
  readonly diagnosticEvent?: { readonly urn?: string; readonly message: string; readonly severity: string };
}

interface StepMetadata {
  readonly op: string;
  readonly urn: string;
  readonly type: string;
}

/** @param eventLog file that `--event-log` wrote; a command without one made no changes */
export function readResult(code: number, stdout: string, stderr: string, eventLog: string): PulumiResult {
  const log = fs.existsSync(eventLog) ? fs.readFileSync(eventLog, "utf8") : "";
  const events = log
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line) as EngineEvent);
  const changes: Record<string, string[]> = {};
  for (const { resOutputsEvent } of events) {
    const step = resOutputsEvent?.metadata;
    if (step && !NO_CHANGE.includes(step.op) && !isComponent(step.type))
      (changes[nameOf(step.urn)] ??= []).push(step.op);
  }
  const made = events.flatMap(({ resOutputsEvent: each }) =>
    each?.metadata.op === "create" && !isComponent(each.metadata.type) ? [nameOf(each.metadata.urn)] : [],
  );
  const said = (severity: string): string[] =>
    events.flatMap(({ diagnosticEvent }) =>
      diagnosticEvent?.severity === severity ? [diagnosticEvent.message.trim()] : [],
    );
  return {
    code,
    stdout,
    stderr,
    events: log,
    changes,
    made,
    failed: events.flatMap(({ resOpFailedEvent: each }) => (each ? [nameOf(each.metadata.urn)] : [])),
    warnings: said("warning"),
    errors: said("error"),
    said: sayings(events),
    ...times(events),
  };
}

function sayings(events: readonly EngineEvent[]): Record<string, string> {
  const said: Record<string, string> = {};
  for (const { diagnosticEvent: each } of events) {
    if (each && each.severity !== "debug")
      said[nameOf(each.urn ?? "")] = `${said[nameOf(each.urn ?? "")] ?? ""}${each.message}\n`;
  }
  return said;
}

function times(events: readonly EngineEvent[]): Pick<PulumiResult, "seconds" | "ended"> {
  const began = new Map<string, number>();
  const seconds: Record<string, number> = {};
  const ended: Record<string, number> = {};
  for (const { timestamp, resourcePreEvent, resOutputsEvent, resOpFailedEvent } of events) {
    const [first, last] = [resourcePreEvent?.metadata, (resOutputsEvent ?? resOpFailedEvent)?.metadata];
    if (first && !isComponent(first.type)) began.set(first.urn, timestamp);
    const since = last && began.get(last.urn);
    if (since === undefined) continue;
    seconds[nameOf(last!.urn)] = timestamp - since;
    ended[nameOf(last!.urn)] = timestamp;
  }
  return { seconds, ended };
}

/** For operations that run one after another: the time of each counts from the end of the one before. */
export function inTurns(run: PulumiResult, names: readonly string[]): PulumiResult {
  const seconds = { ...run.seconds };
  const inOrder = [...names].sort((a, b) => run.ended[a]! - run.ended[b]!);
  for (const [at, name] of inOrder.entries())
    if (at > 0) seconds[name] = Math.min(seconds[name]!, run.ended[name]! - run.ended[inOrder[at - 1]!]!);
  return { ...run, seconds };
}

export function nameOf(urn: string): string {
  return urn.slice(urn.lastIndexOf("::") + 2);
}

function isComponent(type: string): boolean {
  return type.startsWith("proxmox-k3s:") || type === "pulumi:pulumi:Stack";
}
