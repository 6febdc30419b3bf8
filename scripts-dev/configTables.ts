import { z } from "zod";
import { EFFECTS, type Schema } from "../config/meta";
import { inFlow } from "../config/section";
import { defaultOf, isLeaf, isOptional, metaOf, unwrap } from "../config/walk";

/** The tables of a config's reference, from its schema. */

/** A key that has a value, or a list or map of values. */
export interface Key {
  /** Its path below the config's root, with placeholders for names: `pools.<pool>.cores`. */
  readonly path: readonly string[];
  readonly schema: Schema;
}

/** Every key of a schema, in the order of the schema. */
export function keysBelow(schema: Schema, path: readonly string[] = []): Key[] {
  const at = unwrap(schema);
  if (!isLeaf(schema) && at instanceof z.ZodObject)
    return Object.entries(at.shape).flatMap(([key, child]) => keysBelow(child as Schema, [...path, key]));
  if (at instanceof z.ZodDiscriminatedUnion) return keysOfUnion(at, path);
  if (at instanceof z.ZodRecord && !isLeaf(at.valueType as Schema)) {
    const { placeholder = "<key>" } = metaOf(at.keyType as Schema);
    return keysBelow(at.valueType as Schema, [...path, placeholder]);
  }
  return [{ path, schema }];
}

/**
 * The keys of a map whose kinds have different keys: first the keys that all kinds have. For the others the placeholder names the
 * kind, `pools.<vm pool>.clone`.
 */
function keysOfUnion(union: z.ZodDiscriminatedUnion, path: readonly string[]): Key[] {
  const kinds = union.options.map((option) => unwrap(option as Schema) as z.ZodObject);
  const isCommon = (key: string): boolean =>
    key === "kind" || kinds.every(({ shape }) => shape[key] === kinds[0]!.shape[key]);
  const keys = (kind: z.ZodObject, own: boolean): [string, Schema][] =>
    Object.entries(kind.shape as Record<string, Schema>).filter(([key]) => isCommon(key) !== own);
  return [
    ...keys(kinds[0]!, false).flatMap(([key, child]) => keysBelow(child, [...path, key])),
    ...kinds.flatMap((kind) =>
      keys(kind, true).flatMap(([key, child]) => keysBelow(child, [...path.slice(0, -1), placeholderOf(kind), key])),
    ),
  ];
}

/** `<vm pool>` */
const placeholderOf = ({ shape }: z.ZodObject): string => `<${String((shape["kind"] as z.ZodLiteral).value)} pool>`;

/** Each section has a table, and so does each map of objects with free names. */
function sectionOf(path: readonly string[]): string {
  const free = path.map((key) => key.startsWith("<")).lastIndexOf(true);
  return path.slice(0, free >= 0 ? free + 1 : path.length > 1 ? 1 : 0).join(".");
}

/**
 * The tables of all keys, a heading for each.
 * @param root the schema of the whole config
 * @param title the title for keys that are in no section
 */
export function renderTables(root: Schema, title: string): string {
  const keys = keysBelow(root);
  const sections = [...new Set(keys.map(({ path }) => sectionOf(path)))];
  return sections.map((section) => renderSection(section, keys, root, title)).join("\n");
}

const COLUMNS = ["key", "what it sets", "value", "default", "example", "a change"];

/** The last column is left out if no key of the config says what a change does. */
const rows = (cells: readonly (readonly string[])[], hasChanges: boolean): string[] =>
  cells.map((row) => `| ${(hasChanges ? row : row.slice(0, -1)).join(" | ")} |`);

function renderSection(section: string, keys: readonly Key[], root: Schema, title: string): string {
  const depth = section === "" ? 0 : section.split(".").length;
  const hasChanges = keys.some(({ schema }) => metaOf(schema).change !== undefined);
  const own = keys.filter(({ path }) => sectionOf(path) === section);
  const description = section === "" ? undefined : metaOf(schemaOf(section, root)).description;
  return [
    `## ${section === "" ? title : `\`${section}\``}`,
    "",
    ...(description === undefined ? [] : [description, ""]),
    ...rows(
      [COLUMNS, COLUMNS.map(() => "---"), ...own.map(({ path, schema }) => cells(path.slice(depth).join("."), schema))],
      hasChanges,
    ),
    "",
  ].join("\n");
}

function schemaOf(section: string, root: Schema): Schema {
  return section
    .split(".")
    .filter((key) => key !== "")
    .reduce<Schema>((schema, key) => {
      const at = unwrap(schema);
      if (at instanceof z.ZodRecord) {
        const value = at.valueType as Schema;
        const kinds = value instanceof z.ZodDiscriminatedUnion ? (value.options as z.ZodObject[]) : [];
        return kinds.find((kind) => placeholderOf(kind) === key) ?? value;
      }
      if (at instanceof z.ZodDiscriminatedUnion) return (at.options[0] as z.ZodObject).shape[key] as Schema;
      return (at as z.ZodObject).shape[key] as Schema;
    }, root);
}

function cells(name: string, schema: Schema): string[] {
  const { description = "", example, change, changeNote, unit } = metaOf(schema);
  const value = `${valueOf(schema)}${unit === undefined ? "" : ` (${unit})`}`;
  return [
    code(name),
    description,
    value,
    defaultWords(schema),
    example === undefined ? "" : code(inFlow(example)),
    change === undefined ? "" : changeOf(change, changeNote),
  ].map((cell) => cell.replaceAll("|", "\\|"));
}

function valueOf(schema: Schema): string {
  const at = unwrap(schema);
  const { must, hidden } = metaOf(schema);
  if (must !== undefined) return `${must}${hidden === true ? "; no error shows it" : ""}`;
  if (at instanceof z.ZodArray) return `a list; each entry ${valueOf(at.element as Schema)}`;
  if (at instanceof z.ZodRecord) return `a map; each value ${valueOf(at.valueType as Schema)}`;
  if (at instanceof z.ZodObject) return `a map of ${Object.keys(at.shape).join(", ")}`;
  throw new Error("a key of the config has neither a text for `must` nor a known type");
}

function defaultWords(schema: Schema): string {
  if (!isOptional(schema)) return "required";
  const value = defaultOf(schema);
  if (value === undefined) return metaOf(schema).otherwise ?? "none";
  return typeof value === "object" && Object.keys(value as object).length === 0 ? "none" : code(inFlow(value));
}

export const code = (text: string): string => `\`${text}\``;

/** `reboot (a server with etcd is rebuilt)` */
export function changeOf(change: keyof typeof EFFECTS, note: string | undefined): string {
  return `${EFFECTS[change].label}${note === undefined ? "" : ` (${note})`}`;
}
