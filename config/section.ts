import { stringify } from "yaml";
import { z } from "zod";
import type { KeyMeta, Schema } from "./meta";
import type { Problem } from "./problems";
import { isHidden } from "./secretForms";
import { closest } from "./suggest";
import { along, isLeaf, isOptional, keysOf, metaOf, unwrap } from "./walk";

/** A hint about a key that the map at `path` does not have; undefined if there is no better hint than the list of known keys. */
export type Explain = (unknown: {
  readonly path: string;
  readonly key: string;
  readonly place: Schema;
}) => string | undefined;

/**
 * Reads one value by its schema, and adds what is wrong with it to `problems`.
 * @param path of the value, for the messages
 * @param explain gives a better hint about an unknown key than the list of known keys
 * @returns the value with its defaults. If it has problems: undefined, or the value without the wrong keys that no rule needs
 */
export function readSection<T extends Schema>(
  schema: T,
  raw: unknown,
  path: string,
  problems: Problem[],
  explain: Explain = () => undefined,
): z.output<T> | undefined {
  const result = schema.safeParse(raw);
  if (result.success) return result.data;
  problems.push(...oncePerPath(result.error.issues.flatMap((issue) => toProblems(schema, raw, path, issue, explain))));
  return schema.safeParse(repaired(schema, raw, result.error.issues)).data;
}

/** A value may break several rules of its schema, but one message per path is enough, because it says what the value must be. */
const oncePerPath = (problems: readonly Problem[]): Problem[] => [
  ...new Map(problems.map((problem) => [problem.path, problem])).values(),
];

/** The section without unknown keys, and without wrong keys that no rule needs. */
export function repaired(schema: Schema, raw: unknown, issues: readonly z.core.$ZodIssue[]): unknown {
  const copy: unknown = structuredClone(raw);
  for (const issue of issues) {
    const spare = along(schema, issue.path).find((step) => metaOf(step.schema).independent === true);
    const holder = valueAt(copy, spare === undefined ? issue.path : spare.path.slice(0, -1));
    if (!isMap(holder)) continue;
    if (spare !== undefined) {
      const key = String(spare.path.at(-1));
      if (isOptional(spare.schema)) delete holder[key];
      else holder[key] = metaOf(spare.schema).example;
    } else if (issue.code === "unrecognized_keys") for (const key of issue.keys) delete holder[key];
  }
  return copy;
}

function toProblems(schema: Schema, raw: unknown, base: string, issue: z.core.$ZodIssue, explain: Explain): Problem[] {
  const { path: keys, schema: place } = along(schema, issue.path).at(-1)!;
  const path = joinPath(base, keys);
  if (!isLeaf(place) && issue.code === "unrecognized_keys")
    return issue.keys.map((key) => unknownKey(path, key, keysOf(place), explain({ path, key, place })));
  const kept = unwrap(along(schema, issue.path.slice(0, -1)).at(-1)!.schema);
  if (issue.code === "invalid_key" && kept instanceof z.ZodRecord) {
    const { must, hint } = metaOf(kept.keyType as Schema);
    return [{ path: joinPath(base, issue.path), problem: `its name must be ${must}`, ...hintOf(hint) }];
  }
  const meta = metaOf(place);
  const must = `must be ${meta.must ?? container(place, path)}`;
  const value = valueAt(raw, keys);
  const problem = value === undefined ? `is missing: it ${must}` : found(must, value, meta);
  return [
    { path, problem, ...hintOf(isQuoted(place, value) ? "write it without quotes" : (meta.hint ?? exampleOf(meta))) },
  ];
}

/** True for a number or a boolean in quotes that would be valid without them. */
function isQuoted(schema: Schema, value: unknown): boolean {
  if (typeof value !== "string" || !/^(?:-?\d+|true|false)$/.test(value)) return false;
  return metaOf(schema).must?.includes("quotes") !== true && schema.safeParse(JSON.parse(value)).success;
}

/** For a list or a map of values; other keys have a `must` text with their form. */
const exampleOf = ({ must, example }: KeyMeta): string | undefined =>
  must !== undefined || example === undefined ? undefined : `for example ${inFlow(example)}`;

function container(schema: Schema, path: string): string {
  const type = unwrap(schema);
  if (type instanceof z.ZodObject || type instanceof z.ZodRecord) return "a map";
  if (type instanceof z.ZodArray) return "a list";
  throw new Error(`the schema has a value without a "must" text at ${path}`);
}

/**
 * The problem of a key that a map does not have.
 * @param hint by default a similar key, or all keys
 */
export function unknownKey(path: string, key: string, known: readonly string[], hint?: string): Problem {
  const near = closest(key, known);
  const words = near !== undefined ? `did you mean ${near}?` : `known here: ${[...known].sort().join(", ")}`;
  return { path: `${path}.${key}`, problem: "is not a key of this config", hint: hint ?? words };
}

const hintOf = (hint: string | undefined) => (hint === undefined ? {} : { hint });

function found(must: string, value: unknown, { hidden }: KeyMeta): string {
  const shown = JSON.stringify(value);
  if (hidden === true || isHidden(shown)) return must;
  return `${must}, not ${shown.length > 60 ? `${shown.slice(0, 57)}...` : shown}`;
}

/** A value in one line of YAML. */
export const inFlow = (value: unknown): string =>
  stringify(value, { collectionStyle: "flow", lineWidth: 0, flowCollectionPadding: true }).trimEnd();

const joinPath = (base: string, path: readonly PropertyKey[]): string =>
  path.reduce<string>(
    (joined, key) => (typeof key === "number" ? `${joined}[${key}]` : `${joined}.${String(key)}`),
    base,
  );

const valueAt = (raw: unknown, path: readonly PropertyKey[]): unknown =>
  path.reduce<unknown>((value, key) => (value as Record<PropertyKey, unknown> | undefined)?.[key], raw);

export const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
