/** A step of `pulumi preview --json`. */
export interface PreviewStep {
  readonly op: string;
  readonly newState: {
    readonly type: string;
    readonly urn: string;
    readonly inputs?: Record<string, unknown>;
  };
}

export const nameOf = ({ newState }: PreviewStep): string => newState.urn.split("::").at(-1)!;

/** The engine's placeholder for a value that a preview cannot know. */
const UNKNOWN = "04da6b54-80e4-46f7-96ec-b56ff0331ba9";

/** Paths of the unknown values. */
export function unknowns(value: unknown, path = ""): string[] {
  if (value === UNKNOWN) return [path];
  if (typeof value !== "object" || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => unknowns(inner, path ? `${path}.${key}` : key));
}
