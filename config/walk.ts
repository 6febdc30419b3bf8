import { z } from "zod";
import type { KeyMeta, Schema } from "./meta";

/** The wrappers of a schema: optional values, defaults and transformations. */
type Wrapper = z.ZodOptional | z.ZodDefault | z.ZodPrefault | z.ZodPipe;

const isWrapper = (schema: Schema): schema is Wrapper =>
  [z.ZodOptional, z.ZodDefault, z.ZodPrefault, z.ZodPipe].some((type) => schema instanceof type);

const inner = (schema: Wrapper): Schema => (schema instanceof z.ZodPipe ? schema.in : schema.unwrap()) as Schema;

/** The type inside its wrappers. */
export const unwrap = (schema: Schema): Schema => (isWrapper(schema) ? unwrap(inner(schema)) : schema);

/** The metadata of a schema. Those of a wrapper take precedence over those of the wrapped schema. */
export function metaOf(schema: Schema): KeyMeta {
  return { ...(isWrapper(schema) ? metaOf(inner(schema)) : {}), ...schema.meta() };
}

/** The default value of a key, as a person would write it; `undefined` if there is none. */
export function defaultOf(schema: Schema): unknown {
  if (schema instanceof z.ZodDefault || schema instanceof z.ZodPrefault) return schema.def.defaultValue;
  return isWrapper(schema) ? defaultOf(inner(schema)) : undefined;
}

export const isOptional = (schema: Schema): boolean => schema.safeParse(undefined).success;

/** True if a person sees the schema as a single value: it has its own "must" text. */
export const isLeaf = (schema: Schema): boolean => metaOf(schema).must !== undefined;

/** The schema of a key, an index or an entry. */
export function childOf(schema: Schema, key: PropertyKey): Schema | undefined {
  const at = unwrap(schema);
  if (at instanceof z.ZodObject) return at.shape[String(key)] as Schema | undefined;
  if (at instanceof z.ZodRecord) return at.valueType as Schema;
  if (at instanceof z.ZodArray) return at.element as Schema;
  return undefined;
}

export interface Step {
  readonly path: readonly PropertyKey[];
  readonly schema: Schema;
}

/** The schemas along a path, from the outermost to the leaf that has the path's end. */
export function along(schema: Schema, path: readonly PropertyKey[]): Step[] {
  const steps: Step[] = [{ path: [], schema }];
  for (let at = schema, depth = 0; depth < path.length && !isLeaf(at); depth++) {
    const child = childOf(at, path[depth]!);
    if (child === undefined) break;
    at = child;
    steps.push({ path: path.slice(0, depth + 1), schema: child });
  }
  return steps;
}

export const keysOf = (schema: Schema): string[] => {
  const at = unwrap(schema);
  return at instanceof z.ZodObject ? Object.keys(at.shape) : [];
};
