import fc from "fast-check";
import type { FaultSpec } from "../../../lab/pve/faults/fault";
import { type Kind, KINDS, type Place } from "./wish";

/** What a person, or fate, changes before an `up`, of one pool or of one worker. A stranger's guest may be of either kind. */
export type Change =
  | { readonly change: "count"; readonly kind: Kind; readonly to: number }
  | { readonly change: "cores"; readonly kind: Kind; readonly to: number }
  | { readonly change: "tier"; readonly kind: Kind; readonly to: string }
  /** Puts the index on the list of retired ones, or takes it off. */
  | ({ readonly change: "retire" } & Place)
  /** The guest ends, its disk stays; that of the server with the index 0. */
  | ({ readonly change: "stop" } & Place)
  /** Somebody runs `pct destroy`, or `qm destroy`, by hand. */
  | ({ readonly change: "remove" } & Place)
  /** The same, and somebody else makes a guest with its VMID before anybody looks. */
  | ({ readonly change: "usurp"; readonly stranger: Kind; readonly running: boolean } & Place)
  /** Somebody else makes a guest with the VMID of the worker that would come next; a person may ask for that worker. */
  | {
      readonly change: "stranger";
      readonly kind: Kind;
      readonly stranger: Kind;
      readonly running: boolean;
      readonly wanted: boolean;
    };

/** What happens to the `up` itself. */
export type Trouble =
  /** Every script of the name fails before it does anything. */
  | { readonly trouble: "script"; readonly name: (typeof SCRIPTS)[number] }
  | { readonly trouble: "fault"; readonly fault: FaultSpec }
  /** Engine and plugins are killed once so many things have happened in the world. */
  | { readonly trouble: "kill"; readonly after: number };

export interface Step {
  readonly change: Change;
  readonly trouble?: Trouble;
  /** After an `up` that failed: do what its error says and run it again, or go on to the next step as it is. */
  readonly again: boolean;
}

const SCRIPTS = ["claim", "lxc", "vm", "host-key", "artifacts", "k3s", "ready", "leave"] as const;

const kind = fc.constantFrom(...KINDS);
const place = { kind, index: fc.constantFrom(1, 1, 2) };
const running = fc.boolean();
const is = <T extends string>(change: T): fc.Arbitrary<T> => fc.constant(change);
const change: fc.Arbitrary<Change> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ change: is("count"), kind, to: fc.integer({ min: 0, max: 3 }) }) },
  { weight: 3, arbitrary: fc.record({ change: is("retire"), ...place }) },
  { weight: 3, arbitrary: fc.record({ change: is("remove"), ...place }) },
  { weight: 2, arbitrary: fc.record({ change: is("usurp"), ...place, stranger: kind, running }) },
  { weight: 3, arbitrary: fc.record({ change: is("stranger"), kind, stranger: kind, running, wanted: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ change: is("stop"), kind, index: fc.constantFrom(0, 1, 1, 2) }) },
  { weight: 1, arbitrary: fc.record({ change: is("cores"), kind, to: fc.integer({ min: 1, max: 8 }) }) },
  { weight: 1, arbitrary: fc.record({ change: is("tier"), kind, to: fc.constantFrom("one", "two") }) },
);

/** Paths of the API at which guests of both kinds come and go. */
const CREATION = "^/nodes/pve/(lxc|qemu/\\d+/clone)$";
const GUEST = "/(lxc|qemu)/";

/** Each strikes a few times only: more often than the client tries again by itself, or less often. */
const fault: fc.Arbitrary<FaultSpec> = fc
  .record({
    fault: fc.constantFrom<FaultSpec>(
      { kind: "error", method: "POST", path: CREATION, status: 500, text: "no space left on device" },
      { kind: "error", method: "POST", path: CREATION, status: 503 },
      { kind: "error", method: "PUT", path: "/config$", status: 500, text: "can't lock file" },
      { kind: "error", method: "DELETE", path: GUEST, status: 500, text: "got timeout" },
      { kind: "drop", method: "POST", path: CREATION },
      { kind: "drop-answer", method: "POST", path: CREATION },
      { kind: "drop-answer", method: "DELETE", path: GUEST },
      ...["vzcreate", "vzstart", "vzdestroy", "qmclone", "qmstart", "qmdestroy"].map(
        (task) => ({ kind: "task-fail", task }) as const,
      ),
      { kind: "task-lost", task: "vzcreate" },
      { kind: "task-lost", task: "qmclone" },
    ),
    count: fc.constantFrom(1, 3),
  })
  .map(({ fault: spec, count }) => ({ ...spec, count }));

const trouble: fc.Arbitrary<Trouble> = fc.oneof(
  fc.record({ trouble: fc.constant("script" as const), name: fc.constantFrom(...SCRIPTS) }),
  fc.record({ trouble: fc.constant("fault" as const), fault }),
  fc.record({ trouble: fc.constant("kill" as const), after: fc.integer({ min: 1, max: 25 }) }),
);

const step: fc.Arbitrary<Step> = fc
  .record({ change, trouble: fc.option(trouble, { freq: 2, nil: undefined }), again: fc.boolean() })
  .map(({ trouble: some, ...rest }) => (some === undefined ? rest : { ...rest, trouble: some }));

/** Short enough that many fit into a test run, long enough for one thing to lie on top of another. */
export const sequences = fc.array(step, { minLength: 3, maxLength: 3 });
