import { fail, type Finding, skip, warn } from "../doctor/finding";
import type { Look } from "./sight";

/** A finding about one node of the cluster, or about no single node. */
export interface Difference extends Finding {
  readonly node?: string;
}

/** It does not work, or not as the plan says. */
export const broken = (check: string, node: string, seen: string, remedy: string): Difference => ({
  ...fail(check, `${node} ${seen}`, remedy),
  node,
});

/** It works for now, but a person should know. */
export const odd = (check: string, node: string, seen: string, remedy: string): Difference => ({
  ...warn(check, `${node} ${seen}`, remedy),
  node,
});

/** The finding of a check that could not run. */
export const unseen = (check: string, { why, remedy }: { why: string; remedy?: string }): Difference => ({
  ...skip(check, why),
  ...(remedy === undefined ? {} : { remedy }),
});

export const seenOf = <T>(look: Look<T>): T | undefined => ("seen" in look ? look.seen : undefined);
