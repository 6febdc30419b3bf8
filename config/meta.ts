import type { z } from "zod";

/** What a change of a key does to a cluster that runs, in the order of what it disturbs; by `docs/config.md`'s words. */
export const EFFECTS = {
  none: { label: "nothing", text: "No node is touched.", announced: "it says nothing" },
  newNodes: {
    label: "new nodes only",
    text: "Nodes that stand stay as they are; it counts for nodes that are made later.",
    announced: "it says nothing",
  },
  live: {
    label: "live",
    text: "It is applied to the running nodes, without a restart.",
    announced: "it shows the resources that it updates",
  },
  members: {
    label: "nodes join or leave",
    text: "The other nodes are not touched.",
    announced: "it shows the resources of a node that joins, and says `NODE: drain and removal` of one that leaves",
  },
  k3sRestart: {
    label: "K3s restart",
    text: "K3s restarts on the nodes that it concerns, in turns; pods keep running. A node takes its turn when the last one is Ready again (`rollout.concurrency`).",
    announced: "`NODE: K3s restart, for its REASON`",
  },
  reboot: {
    label: "reboot",
    text: "The guests that it concerns reboot, in the same turns.",
    announced: "`NODE: reboot, for its REASON`",
  },
  rebuild: {
    label: "drain and rebuild",
    text: "The node leaves the cluster, its guest is destroyed with its disk and made anew, and joins again, in the same turns.",
    announced: "`NODE: drain and rebuild, for its REASON`",
  },
  refused: {
    label: "refused",
    text: "The cluster stays as it is.",
    announced: "it stops with the reason and the way that works, as `up` does",
  },
} as const;

export type Effect = keyof typeof EFFECTS;

/**
 * What the schema says of a key besides its type. The error messages, `docs/config.md` and the JSON schema are made of it.
 * Where schemas are wrapped or refined, the outermost word counts.
 */
export interface KeyMeta {
  /** Continues "<path>: must be …". */
  readonly must?: string | undefined;
  /** How to get it right; stands in parentheses behind a message. */
  readonly hint?: string | undefined;
  /** The value may be a secret or a key: no message repeats it. */
  readonly hidden?: boolean | undefined;
  /** One sentence on what the key decides. */
  readonly description?: string | undefined;
  /** What a number counts, or what a size is read as. */
  readonly unit?: string | undefined;
  /** A right value. */
  readonly example?: unknown;
  /** What counts where the key is absent and the schema has no default of its own. */
  readonly otherwise?: string | undefined;
  readonly change?: Effect | undefined;
  /** What is special about the change. */
  readonly changeNote?: string | undefined;
  /** Of a map's key: what stands for it in paths, `<pool>`. */
  readonly placeholder?: string | undefined;
  /**
   * No rule between values needs the key: where it is wrong, the rules run on without it, or with the example where it is
   * required, so that one slip does not hide what else is wrong.
   */
  readonly independent?: boolean | undefined;
}

declare module "zod" {
  // eslint-disable-next-line @typescript-eslint/no-empty-object-type -- the way that zod names for its registry
  interface GlobalMeta extends KeyMeta {}
}

export type Schema = z.ZodType;
