import { z } from "zod";
import type { Schema } from "./meta";
import type { Problem } from "./problems";
import { poolName, sectionSchemas, type Draft, type PoolSettings } from "./schema";
import { type Explain, isMap, readSection, repaired, unknownKey } from "./section";
import { KINDS } from "./sections/poolKeys";
import { poolSchemas } from "./sections/pools";
import { keysOf } from "./walk";

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
    .map(([name, schema]) => [name, readSection(schema, raw[name], `${ROOT}.${name}`, problems, explain)]);
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
 * Finds a map that is empty because its keys are at the same level as the map: they have too little indentation.
 * @param path of the map that contains them all
 * @returns undefined if the map is not empty, or if none of its keys is at the same level
 */
function outdentedBelow(
  holder: Readonly<Record<string, unknown>>,
  name: string,
  keys: readonly string[],
  path = ROOT,
): { readonly problem: Problem; readonly keys: readonly string[] } | undefined {
  if (holder[name] !== null || keys.length === 0) return undefined;
  const [are, them] = keys.length === 1 ? ["is", "it"] : ["are", "them"];
  const problem = `is empty, but ${keys.join(", ")} ${are} at the same level`;
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
    const pool = readSection(schema, value, `${path}.${name}`, problems, explain);
    const known = pool ?? withGuesses(schema, value);
    if (named !== undefined && known !== undefined) pools[name] = known;
    guessed ||= pool === undefined;
  }
  return { pools, allPools: !guessed && Object.keys(pools).length === Object.keys(raw).length };
}

/**
 * The pool with placeholders, if only its role or its size is wrong or missing: as an agent pool with one node. So its VMIDs and
 * addresses are still checked. The servers are then not counted.
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

/** A key of a pool of another kind, or of the whole cluster. */
const explain: Explain = ({ path, key, place }) => {
  const other = KINDS.find((kind) => isPoolOfAnotherKind(place, kind) && keysOf(poolSchemas[kind]).includes(key));
  if (other !== undefined) return `is a key of kind: ${other} pools`;
  const isSection = path !== ROOT && (key === "pools" || key in sectionSchemas);
  return isSection ? "it is a section of the cluster: indent it less" : undefined;
};

const isPoolOfAnotherKind = (place: Schema, kind: (typeof KINDS)[number]): boolean =>
  Object.values<Schema>(poolSchemas).includes(place) && place !== poolSchemas[kind];
