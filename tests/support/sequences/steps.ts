import fc from "fast-check";
import type { FaultSpec } from "../../../lab/pve/faults/fault";
import { type Kind, KINDS, type Place } from "./wish";

/** A change before an `up`, by a person or by accident, of one pool or of one worker. A stranger is another person's guest. */
export type Change =
  | { readonly change: "count"; readonly kind: Kind; readonly to: number }
  | { readonly change: "cores"; readonly kind: Kind; readonly to: number }
  | { readonly change: "tier"; readonly kind: Kind; readonly to: string }
  /** Adds the index to the list of retired ones, or removes it. */
  | ({ readonly change: "retire" } & Place)
  /** Stops the guest; its disk stays. Index 0 is the server. */
  | ({ readonly change: "stop" } & Place)
  /** Somebody runs `pct destroy` or `qm destroy` by hand. */
  | ({ readonly change: "remove" } & Place)
  /** The same, and then another person makes a guest with its VMID, before the next `up`. */
  | ({ readonly change: "usurp"; readonly stranger: Kind; readonly running: boolean } & Place)
  /** Another person makes a guest with the VMID of the next worker; `wanted` also adds that worker to the config. */
  | {
      readonly change: "stranger";
      readonly kind: Kind;
      readonly stranger: Kind;
      readonly running: boolean;
      readonly wanted: boolean;
    };

/** A fault of the `up` itself. */
export type Trouble =
  /** Every script with this name fails before it does anything. */
  | { readonly trouble: "script"; readonly name: (typeof SCRIPTS)[number] }
  | { readonly trouble: "fault"; readonly fault: FaultSpec }
  /** Engine and plugins are killed after this many entries of the journal. */
  | { readonly trouble: "kill"; readonly after: number };

export interface Step {
  readonly change: Change;
  readonly trouble?: Trouble;
  /** After a failed `up`: do what its error says and run it again; or go on to the next step. */
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

/** API paths that create guests of both kinds. */
const CREATION = "^/nodes/pve/(lxc|qemu/\\d+/clone)$";
const GUEST = "/(lxc|qemu)/";

/** Each fault occurs only a few times: more often than the client retries by itself, or less often. */
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

/** Short, so that many fit into a test run; long enough that one step meets the effects of another. */
export const sequences = fc.array(step, { minLength: 3, maxLength: 3 });
