import { stringify } from "yaml";
import { z } from "zod";
import type { KeyMeta, Schema } from "./meta";
import type { Problem } from "./problems";
import { poolName, sectionSchemas, type Draft, type PoolSettings } from "./schema";
import { isHidden } from "./secretForms";
import { KINDS } from "./sections/poolKeys";
import { poolSchemas } from "./sections/pools";
import { closest } from "./suggest";
import { along, isLeaf, isOptional, keysOf, metaOf, unwrap } from "./walk";

const ROOT = "cluster";

/**
 * Reads sections and pools one by one. The draft leaves out a section or pool with a mistake. If no rule between values needs
 * the wrong key, only the key is left out, and the rules still run over the rest.
 */
export function readShape(raw: unknown): { draft: Draft; problems: Problem[] } {
  if (!isMap(raw)) {
    const problem = raw === undefined ? "is missing" : "must be a map";
    return { draft: NOTHING, problems: [{ path: ROOT, problem, hint: "see Pulumi.homelab.yaml for an example" }] };
  }
  const problems: Problem[] = [];
  const known = [...Object.keys(sectionSchemas), "pools"];
  const unknown = Object.keys(raw).filter((key) => !known.includes(key));
  const outdented = known.flatMap((name) => outdentedBelow(raw, name, unknown.filter(keyBelongsTo(name, raw))) ?? []);
  problems.push(...outdented.map(({ problem }) => problem));
  const explained = outdented.flatMap(({ keys }) => keys);
  for (const key of unknown) if (!explained.includes(key)) problems.push(unknownKey(ROOT, key, known));
  const isExplained = (name: string): boolean => outdented.some(({ problem: { path } }) => path === `${ROOT}.${name}`);
  const sections = Object.entries(sectionSchemas)
    .filter(([name]) => !isExplained(name))
    .map(([name, schema]) => [name, readSection(schema, raw[name], `${ROOT}.${name}`, problems)]);
  const pools = isExplained("pools") ? { pools: {}, allPools: false } : readPools(raw["pools"], problems);
  return { draft: { ...Object.fromEntries(sections), ...pools } as Draft, problems };
}

/** True for the keys that belong below a section, or below `pools`. */
function keyBelongsTo(section: string, holder: Readonly<Record<string, unknown>>): (key: string) => boolean {
  const schema = (sectionSchemas as Readonly<Record<string, Schema>>)[section];
  return (key) => (schema === undefined ? isPool(holder[key]) : keysOf(schema).includes(key));
}

const isPool = (value: unknown): boolean =>
  isMap(value) && ["role", "kind", "count"].some((key) => Object.hasOwn(value, key));

/**
 * A map that is empty because its keys stand beside it: they have too little indentation.
 * @param path of the map that has them all
 * @returns undefined if the map is not empty, or if nothing of it stands beside it
 */
function outdentedBelow(
  holder: Readonly<Record<string, unknown>>,
  name: string,
  keys: readonly string[],
  path = ROOT,
): { readonly problem: Problem; readonly keys: readonly string[] } | undefined {
  if (holder[name] !== null || keys.length === 0) return undefined;
  const [stand, them] = keys.length === 1 ? ["stands", "it"] : ["stand", "them"];
  const problem = `is empty, but ${keys.join(", ")} ${stand} beside it`;
  return { problem: { path: `${path}.${name}`, problem, hint: `indent ${them} below ${name}` }, keys };
}

const withoutName = (path: string, keys: readonly string[]): Problem => ({
  path,
  problem: `has ${keys.join(", ")} in the place of a pool's name`,
  hint: "indent them below a name, for example pools: { worker: { role: agent, … } }",
});

const POOL_KEYS = KINDS.flatMap((kind) => keysOf(poolSchemas[kind]));

const NOTHING: Draft = { pools: {}, allPools: false };

function readPools(raw: unknown, problems: Problem[]): Pick<Draft, "pools" | "allPools"> {
  const path = `${ROOT}.pools`;
  if (!isMap(raw)) {
    const problem = raw === undefined ? "is missing" : "must be a map of pools by name";
    problems.push({ path, problem, hint: "for example pools: { worker: { role: agent, … } }" });
    return NOTHING;
  }
  const pools: Record<string, PoolSettings> = {};
  let guessed = false;
  const outdented = Object.keys(raw).filter((key) => POOL_KEYS.includes(key) && !isPool(raw[key]));
  if (outdented.length > 0) {
    const [empty] = Object.keys(raw).flatMap((name) => outdentedBelow(raw, name, outdented, path) ?? []);
    problems.push(empty?.problem ?? withoutName(path, outdented));
  }
  for (const [name, value] of Object.entries(raw)) {
    if (outdented.includes(name) || (outdented.length > 0 && value === null)) continue;
    const named = readSection(poolName, name, `${path}.${name}`, problems);
    const schema = poolSchemaOf(value);
    const pool = readSection(schema, value, `${path}.${name}`, problems);
    const known = pool ?? withGuesses(schema, value);
    if (named !== undefined && known !== undefined) pools[name] = known;
    guessed ||= pool === undefined;
  }
  return { pools, allPools: !guessed && Object.keys(pools).length === Object.keys(raw).length };
}

/**
 * The pool if only its role or its size is wrong or missing, as an agent's, with one node. So its VMIDs and addresses are checked
 * too. Nobody counts servers then.
 */
function withGuesses(schema: z.ZodType<PoolSettings>, raw: unknown): PoolSettings | undefined {
  if (!isMap(raw)) return undefined;
  const { role, count } = raw;
  const guess = {
    ...raw,
    role: role === "server" ? role : "agent",
    count: Number.isInteger(Number(count ?? NaN)) ? Number(count) : 1,
  };
  const { data, error } = schema.safeParse(guess);
  return data ?? schema.safeParse(repaired(schema, guess, error.issues)).data;
}

/** The schema by the pool's kind, so that messages fit that kind. A pool without a valid kind is read as containers. */
function poolSchemaOf(raw: unknown): z.ZodType<PoolSettings> {
  const kind = isMap(raw) ? KINDS.find((each) => each === raw["kind"]) : undefined;
  return poolSchemas[kind ?? "lxc"];
}

function readSection<T extends Schema>(
  schema: T,
  raw: unknown,
  path: string,
  problems: Problem[],
): z.output<T> | undefined {
  const result = schema.safeParse(raw);
  if (result.success) return result.data;
  problems.push(...oncePerPath(result.error.issues.flatMap((issue) => toProblems(schema, raw, path, issue))));
  return schema.safeParse(repaired(schema, raw, result.error.issues)).data;
}

/** A value may break several rules of its schema, but one message per path is enough, because it says what the value must be. */
const oncePerPath = (problems: readonly Problem[]): Problem[] => [
  ...new Map(problems.map((problem) => [problem.path, problem])).values(),
];

/** The section without unknown keys, and without wrong keys that no rule needs. */
function repaired(schema: Schema, raw: unknown, issues: readonly z.core.$ZodIssue[]): unknown {
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

function toProblems(schema: Schema, raw: unknown, base: string, issue: z.core.$ZodIssue): Problem[] {
  const { path: keys, schema: place } = along(schema, issue.path).at(-1)!;
  const path = joinPath(base, keys);
  if (!isLeaf(place) && issue.code === "unrecognized_keys")
    return issue.keys.map((key) => unknownKey(path, key, keysOf(place), place));
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

/** True for a number or a boolean in quotes that is right without them. */
function isQuoted(schema: Schema, value: unknown): boolean {
  if (typeof value !== "string" || !/^(?:-?\d+|true|false)$/.test(value)) return false;
  return metaOf(schema).must?.includes("quotes") !== true && schema.safeParse(JSON.parse(value)).success;
}

/** For a list or a map of values; other keys have words for their form. */
const exampleOf = ({ must, example }: KeyMeta): string | undefined =>
  must !== undefined || example === undefined ? undefined : `for example ${inFlow(example)}`;

function container(schema: Schema, path: string): string {
  const type = unwrap(schema);
  if (type instanceof z.ZodObject || type instanceof z.ZodRecord) return "a map";
  if (type instanceof z.ZodArray) return "a list";
  throw new Error(`the schema has a value without a "must" text at ${path}`);
}

/** @param place the object that does not have the key; a pool of another kind may have it */
function unknownKey(path: string, key: string, known: readonly string[], place?: Schema): Problem {
  const near = closest(key, known);
  const other = KINDS.find((kind) => isPoolOfAnotherKind(place, kind) && keysOf(poolSchemas[kind]).includes(key));
  const hint =
    other !== undefined
      ? `is a key of kind: ${other} pools`
      : path !== ROOT && (key === "pools" || key in sectionSchemas)
        ? "it is a section of the cluster: indent it less"
        : near !== undefined
          ? `did you mean ${near}?`
          : `known here: ${[...known].sort().join(", ")}`;
  return { path: `${path}.${key}`, problem: "is not a key of this config", hint };
}

const isPoolOfAnotherKind = (place: Schema | undefined, kind: (typeof KINDS)[number]): boolean =>
  Object.values<Schema | undefined>(poolSchemas).includes(place) && place !== poolSchemas[kind];

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

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
