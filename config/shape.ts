import { z } from "zod";
import type { Problem } from "./problems";
import { isHidden } from "./secretForms";
import { STAND_INS, poolName, poolSchema, sectionSchemas, type Draft, type PoolSettings } from "./schema";
import { closest } from "./suggest";

const ROOT = "cluster";

/**
 * Reads sections and pools one by one. One with a slip is left out of the draft, unless the slip is in a field that no rule between
 * values reads; those rules then still run over the rest.
 */
export function readShape(raw: unknown): { draft: Draft; problems: Problem[] } {
  if (!isMap(raw)) {
    const problem = raw === undefined ? "is missing" : "must be a map";
    return { draft: NOTHING, problems: [{ path: ROOT, problem, hint: "Pulumi.homelab.yaml is an example" }] };
  }
  const problems: Problem[] = [];
  const known = [...Object.keys(sectionSchemas), "pools"];
  for (const key of Object.keys(raw)) if (!known.includes(key)) problems.push(unknownKey(ROOT, key, known));
  const sections = Object.entries(sectionSchemas).map(([name, schema]) => [
    name,
    readSection(schema, raw[name], `${ROOT}.${name}`, STAND_INS[name] ?? {}, problems),
  ]);
  return { draft: { ...Object.fromEntries(sections), ...readPools(raw.pools, problems) } as Draft, problems };
}

const NOTHING: Draft = { pools: {}, allPools: false };

function readPools(raw: unknown, problems: Problem[]): Pick<Draft, "pools" | "allPools"> {
  const path = `${ROOT}.pools`;
  if (!isMap(raw)) {
    const problem = raw === undefined ? "is missing" : "must be a map of pools by name";
    problems.push({ path, problem, hint: "for example pools: { worker: { role: agent, … } }" });
    return NOTHING;
  }
  const pools: Record<string, PoolSettings> = {};
  for (const [name, value] of Object.entries(raw)) {
    const named = readSection(poolName, name, `${path}.${name}`, {}, problems);
    const pool = readSection(poolSchema, value, `${path}.${name}`, STAND_INS.pools ?? {}, problems);
    if (named !== undefined && pool !== undefined) pools[name] = pool;
  }
  return { pools, allPools: Object.keys(pools).length === Object.keys(raw).length };
}

function readSection<T extends z.ZodType>(
  schema: T,
  raw: unknown,
  path: string,
  standIns: Readonly<Record<string, unknown>>,
  problems: Problem[],
): z.output<T> | undefined {
  const result = schema.safeParse(raw);
  if (result.success) return result.data;
  problems.push(...result.error.issues.flatMap((issue) => toProblems(schema, raw, path, issue)));
  return schema.safeParse(mended(raw, result.error.issues, standIns)).data;
}

/** The section without its unknown keys and with a right value for each wrong one that has a stand-in. */
function mended(
  raw: unknown,
  issues: readonly z.core.$ZodIssue[],
  standIns: Readonly<Record<string, unknown>>,
): unknown {
  const copy: unknown = structuredClone(raw);
  for (const issue of issues) {
    const field = String(issue.path[0]);
    const holder = valueAt(copy, issue.path);
    if (issue.code === "unrecognized_keys" && isMap(holder)) for (const key of issue.keys) delete holder[key];
    else if (isMap(copy) && Object.hasOwn(standIns, field)) copy[field] = standIns[field];
  }
  return copy;
}

function toProblems(schema: z.ZodType, raw: unknown, base: string, issue: z.core.$ZodIssue): Problem[] {
  const path = joinPath(base, issue.path);
  const value = valueAt(raw, issue.path);
  switch (issue.code) {
    case "unrecognized_keys":
      return issue.keys.map((key) => unknownKey(path, key, knownKeys(schema, issue.path)));
    case "invalid_key":
      return issue.issues.flatMap((inner) => {
        const { params, message } = inner as z.core.$ZodIssueCustom;
        return [{ path, problem: `its name ${message}`, ...hintOf(params) }];
      });
    case "custom":
      return [
        {
          path,
          problem: value === undefined ? `is missing: it ${issue.message}` : found(issue.message, value, issue.params),
          ...hintOf(issue.params),
        },
      ];
    case "invalid_type": {
      const must = issue.expected === "array" ? "must be a list" : "must be a map";
      return [{ path, problem: value === undefined ? `is missing: it ${must}` : found(must, value, undefined) }];
    }
    default:
      throw new Error(`the schema has a rule without words of its own at ${path}: ${issue.code} ${issue.message}`);
  }
}

function unknownKey(path: string, key: string, known: readonly string[]): Problem {
  const near = closest(key, known);
  const hint = near !== undefined ? `did you mean ${near}?` : `known here: ${[...known].sort().join(", ")}`;
  return { path: `${path}.${key}`, problem: "is not a key of this config", hint };
}

const hintOf = (params: Record<string, unknown> | undefined) =>
  typeof params?.hint === "string" ? { hint: params.hint } : {};

function found(must: string, value: unknown, params: Record<string, unknown> | undefined): string {
  const shown = JSON.stringify(value);
  if (params?.hidden === true || isHidden(shown)) return must;
  return `${must}, not ${shown.length > 60 ? `${shown.slice(0, 57)}...` : shown}`;
}

/** The keys of the object that the schema has at a path. */
function knownKeys(schema: z.ZodType, path: readonly PropertyKey[]): string[] {
  let at = unwrap(schema);
  for (const key of path) {
    if (at instanceof z.ZodObject) at = unwrap(at.shape[String(key)] as z.ZodType);
    else if (at instanceof z.ZodRecord) at = unwrap(at.valueType as z.ZodType);
  }
  return at instanceof z.ZodObject ? Object.keys(at.shape) : [];
}

function unwrap(schema: z.ZodType): z.ZodType {
  const wrapped = schema instanceof z.ZodOptional || schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault;
  return wrapped ? unwrap(schema.unwrap() as z.ZodType) : schema;
}

const joinPath = (base: string, path: readonly PropertyKey[]): string =>
  path.reduce<string>(
    (joined, key) => (typeof key === "number" ? `${joined}[${key}]` : `${joined}.${String(key)}`),
    base,
  );

const valueAt = (raw: unknown, path: readonly PropertyKey[]): unknown =>
  path.reduce<unknown>((value, key) => (value as Record<PropertyKey, unknown> | undefined)?.[key], raw);

const isMap = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);
