import { z } from "zod";

/**
 * What can be made to go wrong in the lab, by what it affects.
 *
 * Requests to the API, over HTTPS: `error` (an answer of 4xx or 5xx instead of the work), `slow` (the work waits), `drop`
 * (the connection is cut before the work), `drop-answer` (the work is done, then the connection is cut without an answer).
 *
 * Tasks: `task-fail` (ends with an error), `task-slow` (its work waits), `task-lost` (its worker is killed: the task's
 * status is `unexpected status`, and a create or a machine's clone leaves an incomplete guest with `lock: create` or `clone`).
 *
 * Guests and storages: `lock` (a stale lock in the guest's file), `storage-full`, `no-address` (the guest starts without
 * its addresses), `guest-dies` (it ends by itself after a start), `no-agent` (a virtual machine's guest agent does not answer).
 *
 * The host, in the lab only: `ssh-refused` (its port 22; the engine level's double has it too), `clock` (programs of the
 * host see a wrong time), `no-dns` (its name server does not answer).
 */
export interface FaultSpec {
  readonly kind: FaultKind;
  /** Requests of this method only. */
  readonly method?: string | undefined;
  /** Regular expression over the path below `/api2/json`. */
  readonly path?: string | undefined;
  /** Tasks of this type only: `vzcreate`, `vzstart`, `resize`. */
  readonly task?: string | undefined;
  /** VMID: only requests and tasks for this guest. */
  readonly guest?: number | undefined;
  /** Storage that is full; by default every storage. */
  readonly storage?: string | undefined;
  /** How often it happens; by default until it is cleared. The default of a `lock` is once. */
  readonly count?: number | undefined;
  /** HTTP status of an `error`, 400 to 599; default 500. */
  readonly status?: number | undefined;
  /** Reason of an `error`, last line of a task that fails, or name of the lock (default `backup`). */
  readonly text?: string | undefined;
  /**
   * How long a slow request or task waits, default 10; how long after its start a guest ends, default 5; by how much a
   * clock is wrong, to the future or (negative) the past, default one day to the past.
   */
  readonly seconds?: number | undefined;
}

/** A fault that has been set. */
export interface Fault extends FaultSpec {
  /** Never given to another fault of the same lab. */
  readonly id: number;
  /** How often it has happened. */
  readonly struck: number;
}

export type FaultKind = keyof typeof kinds;

const count = z.int().min(1).optional();
const guest = z.int().min(100).max(999_999_999).optional();
const seconds = z.number().min(0).max(86_400).optional();
const text = z.string().min(1).optional();
const request = { method: z.enum(["GET", "POST", "PUT", "DELETE"]).optional(), path: pattern(), guest, count };
const task = { task: z.string().min(1).optional(), guest, count };

/** Which fields a fault of each kind takes. */
const kinds = {
  error: { ...request, status: z.int().min(400).max(599).optional(), text },
  slow: { ...request, seconds },
  drop: request,
  "drop-answer": request,
  "task-fail": { ...task, text },
  "task-slow": { ...task, seconds },
  "task-lost": task,
  lock: { guest: guest.unwrap(), text, count },
  "storage-full": { storage: z.string().min(1).optional(), count },
  "no-address": { guest, count },
  "guest-dies": { guest, count, seconds },
  "no-agent": { guest, count },
  "ssh-refused": {},
  clock: { seconds: z.number().min(-315_360_000).max(315_360_000).optional() },
  "no-dns": {},
};

export const faultKinds = Object.keys(kinds) as FaultKind[];

/** @throws Error that lists every mistake in a fault that a person asked for. */
export function checkFault(asked: unknown): FaultSpec {
  const kind = (asked as { kind?: string } | null)?.kind ?? "";
  if (!isKind(kind)) throw new Error(`'${kind}' is no kind of fault; the kinds are ${faultKinds.join(", ")}`);
  const result = z.strictObject({ kind: z.literal(kind), ...kinds[kind] }).safeParse(asked);
  if (result.success) return result.data;
  const takes = Object.keys(kinds[kind]).join(", ") || "nothing else";
  const problems = result.error.issues.map((issue) => `  ${[...issue.path, issue.message].join(": ")}`);
  throw new Error([`a fault of the kind ${kind} takes ${takes}:`, ...problems].join("\n"));
}

/** `error POST ^/nodes/pve/lxc$ status=503 count=2, struck once`. */
export function describeFault({ id: _, kind, method, path, struck, ...fields }: Fault): string {
  const limits = Object.entries(fields).map(([name, value]) => `${name}=${value}`);
  const times = struck === 0 ? "not struck yet" : struck === 1 ? "struck once" : `struck ${struck} times`;
  return `${[kind, method, path, ...limits].filter((part) => part !== undefined).join(" ")}, ${times}`;
}

/** How long a fault waits, or by how much its clock is wrong. */
export function secondsOf({ kind, seconds: given }: FaultSpec): number {
  return given ?? { "guest-dies": 5, clock: -86_400 }[kind as string] ?? 10;
}

function isKind(kind: string): kind is FaultKind {
  return Object.hasOwn(kinds, kind);
}

function pattern() {
  const isPattern = (expression: string) => {
    try {
      return Boolean(new RegExp(expression));
    } catch {
      return false;
    }
  };
  return z.string().min(1).refine(isPattern, "must be a regular expression").optional();
}
