import type { z } from "zod";

/** What a change of a key does to a cluster that runs, in the order of what it disturbs. */
export const EFFECTS = {
  none: "nothing: no node is touched",
  newNodes: "nothing to nodes that stand; it counts for nodes that are made later",
  live: "applied to the running nodes, without a restart",
  members: "nodes join or leave; the others are not touched",
  k3sRestart: "K3s restarts, one node after the other; pods keep running",
  reboot: "the guests reboot, one after the other",
  rebuild: "drain and rebuild: the node leaves, its guest is destroyed and made anew, and joins again",
  refused: "refused",
  unguarded: "do not change it on a cluster that runs: nothing stops you yet",
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
