/** What the state of the add-ons' own stack records: what was last applied. */
export interface Standing {
  /** The values of the Helm releases, by name. */
  readonly releases: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

/** Nothing was applied yet. */
export const NOTHING: Standing = { releases: {} };
