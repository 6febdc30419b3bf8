import type { z } from "zod";

/**
 * What a change of a key does to a running cluster, from the least to the most disruptive. `docs/config.md` shows these texts.
 * `test` is a file that shows it on the real engine.
 */
export const EFFECTS = {
  none: {
    label: "nothing",
    text: "No node changes.",
    announced: "nothing",
    test: "tests/engine/changes.test.ts",
  },
  newNodes: {
    label: "new nodes only",
    text: "Existing nodes do not change. Nodes that are created later get the new value.",
    announced: "nothing",
    test: "tests/engine/transitions.test.ts",
  },
  live: {
    label: "live",
    text: "The running nodes change without a restart.",
    announced: "the updated resources",
    test: "tests/engine/changes.test.ts",
  },
  members: {
    label: "nodes join or leave",
    text: "The other nodes do not change.",
    announced: "the resources of a node that joins; `NODE: drain and removal` for a node that leaves",
    test: "tests/engine/lifecycle.test.ts",
  },
  k3sRestart: {
    label: "K3s restart",
    text: "K3s restarts on the affected nodes, one after another; pods keep running. The next node restarts when the last one is Ready again (`rollout.concurrency` sets how many at a time).",
    announced: "`NODE: K3s restart, for its REASON`",
    test: "tests/engine/changes.test.ts",
  },
  reboot: {
    label: "reboot",
    text: "The affected guests reboot, one after another in the same way.",
    announced: "`NODE: reboot, for its REASON`",
    test: "tests/engine/changes.test.ts",
  },
  rebuild: {
    label: "drain and rebuild",
    text: "The node leaves the cluster, and its guest is destroyed with its disk. A new guest is created and joins again. Nodes are rebuilt one after another in the same way.",
    announced: "`NODE: drain and rebuild, for its REASON`",
    test: "tests/engine/transitions.test.ts",
  },
  refused: {
    label: "refused",
    text: "The cluster does not change.",
    announced: "an error with the reason and an alternative, as in `pulumi up`",
    test: "tests/engine/transitions.test.ts",
  },
} as const;

export type Effect = keyof typeof EFFECTS;

/**
 * What the schema says about a key, in addition to its type. Error messages, `docs/config.md` and the JSON schema use it. If
 * schemas are wrapped or refined, the outermost value counts.
 */
export interface KeyMeta {
  /** Continues "<path>: must be …". */
  readonly must?: string | undefined;
  /** How to fix it; shown in parentheses after a message. */
  readonly hint?: string | undefined;
  /** The value may be a secret or a key, so no message shows it. */
  readonly hidden?: boolean | undefined;
  /** One sentence about what the key sets. */
  readonly description?: string | undefined;
  /** The unit of a number or a size. */
  readonly unit?: string | undefined;
  /** A valid value. */
  readonly example?: unknown;
  /** The value if the key is absent and the schema has no default. */
  readonly otherwise?: string | undefined;
  readonly change?: Effect | undefined;
  /** A note about the change. */
  readonly changeNote?: string | undefined;
  /** For the key of a map: its placeholder in paths, `<pool>`. */
  readonly placeholder?: string | undefined;
  /**
   * No rule between values needs the key. If it is wrong, the rules run without it, or with the example if it is required. So
   * one mistake does not hide others.
   */
  readonly independent?: boolean | undefined;
}

declare module "zod" {
  // eslint-disable-next-line @typescript-eslint/no-empty-object-type -- the way that zod names for its registry
  interface GlobalMeta extends KeyMeta {}
}

export type Schema = z.ZodType;
