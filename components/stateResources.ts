import { z } from "zod";

import { nameOf } from "../plan/urn";

/** The resources in a stack's state: type and outputs by URN. */
export const resources = z.record(z.string(), z.object({ type: z.string(), outputs: z.unknown() }));
export type Resources = Readonly<z.infer<typeof resources>>;

interface Entry {
  readonly name: string;
  readonly type: string;
  readonly outputs: unknown;
}

/** The resources with their names. */
export const entriesIn = (state: Resources): Entry[] =>
  Object.entries(state).map(([urn, { type, outputs }]) => ({ name: nameOf(urn), type, outputs }));

/** @throws Error if the record has a form that this program does not know */
export function fitting<T>(form: z.ZodType<T>, node: string, recorded: unknown): T {
  const { success, data } = form.safeParse(recorded);
  if (!success) throw new Error(`the state's record of ${node} has a form that this program does not know`);
  return data;
}
