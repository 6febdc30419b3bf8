import fc from "fast-check";
import type { FaultSpec } from "../../../lab/pve/faults/fault";

/** What a person, or fate, changes before an `up`. Guests are told by their pool's index, 0 for the server. */
export type Change =
  | { readonly change: "count"; readonly to: number }
  | { readonly change: "cores"; readonly to: number }
  | { readonly change: "tier"; readonly to: string }
  /** Puts the index on the list of retired ones, or takes it off. */
  | { readonly change: "retire"; readonly index: number }
  /** The guest ends, its disk stays. */
  | { readonly change: "stop"; readonly index: number }
  /** Somebody runs `pct destroy` by hand. */
  | { readonly change: "remove"; readonly index: number }
  /** The same, and somebody else makes a guest with its VMID before anybody looks. */
  | { readonly change: "usurp"; readonly index: number; readonly running: boolean }
  /** Somebody else makes a guest with the VMID of the worker that would come next; a person may ask for that worker. */
  | { readonly change: "stranger"; readonly running: boolean; readonly wanted: boolean };

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

const SCRIPTS = ["claim", "lxc", "host-key", "artifacts", "k3s", "ready", "leave"] as const;

const worker = fc.integer({ min: 1, max: 3 });
const running = fc.boolean();
const change: fc.Arbitrary<Change> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ change: fc.constant("count" as const), to: fc.integer({ min: 0, max: 4 }) }) },
  { weight: 3, arbitrary: fc.record({ change: fc.constant("retire" as const), index: worker }) },
  { weight: 3, arbitrary: fc.record({ change: fc.constant("remove" as const), index: worker }) },
  { weight: 2, arbitrary: fc.record({ change: fc.constant("usurp" as const), index: worker, running }) },
  {
    weight: 3,
    arbitrary: fc.record({ change: fc.constant("stranger" as const), running, wanted: fc.boolean() }),
  },
  { weight: 2, arbitrary: fc.record({ change: fc.constant("stop" as const), index: fc.integer({ min: 0, max: 3 }) }) },
  { weight: 1, arbitrary: fc.record({ change: fc.constant("cores" as const), to: fc.integer({ min: 1, max: 8 }) }) },
  { weight: 1, arbitrary: fc.record({ change: fc.constant("tier" as const), to: fc.constantFrom("one", "two") }) },
);

/** Each strikes a few times only: more often than the client tries again by itself, or less often. */
const fault: fc.Arbitrary<FaultSpec> = fc
  .record({
    fault: fc.constantFrom<FaultSpec>(
      { kind: "error", method: "POST", path: "^/nodes/pve/lxc$", status: 500, text: "no space left on device" },
      { kind: "error", method: "POST", path: "^/nodes/pve/lxc$", status: 503 },
      { kind: "error", method: "PUT", path: "/config$", status: 500, text: "can't lock file" },
      { kind: "error", method: "DELETE", path: "/lxc/", status: 500, text: "got timeout" },
      { kind: "drop", method: "POST", path: "^/nodes/pve/lxc$" },
      { kind: "drop-answer", method: "POST", path: "^/nodes/pve/lxc$" },
      { kind: "drop-answer", method: "DELETE", path: "/lxc/" },
      { kind: "task-fail", task: "vzcreate" },
      { kind: "task-fail", task: "vzstart" },
      { kind: "task-fail", task: "vzdestroy" },
      { kind: "task-lost", task: "vzcreate" },
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
