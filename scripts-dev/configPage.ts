import { z } from "zod";
import { EFFECTS, type Schema } from "../config/meta";
import { clusterSchema } from "../config/schema";
import { inFlow } from "../config/shape";
import { defaultOf, isLeaf, isOptional, metaOf, unwrap } from "../config/walk";
import { changeOf } from "./clusterSchema";

export const CONFIG_PAGE = "docs/config.md";

/** It has one test for each key. */
export const KEY_TESTS = "tests/unit/plan/effects.test.ts";

/** A key that has a value, or a list or map of values. */
export interface Key {
  /** Its path below `cluster`, with placeholders for names: `pools.<pool>.cores`. */
  readonly path: readonly string[];
  readonly schema: Schema;
}

/** Every key of the config, in the order of the schema. */
export function keysBelow(schema: Schema = clusterSchema, path: readonly string[] = []): Key[] {
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
 * The keys of a map whose kinds have keys of their own: first those that all kinds have. The placeholder of the others names the
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

/** The text of `docs/config.md`, not formatted yet. */
export function renderConfigPage(): string {
  const keys = keysBelow();
  const sections = [...new Set(keys.map(({ path }) => sectionOf(path)))];
  return [HEAD, ...sections.map((section) => renderSection(section, keys)), renderTests(keys), ""].join("\n");
}

/** A row for each key: what a change does, how it is announced, and the title of its test in {@link KEY_TESTS}. */
function renderTests(keys: readonly Key[]): string {
  return [
    "## Changes and their tests",
    "",
    `Each row is a test in \`${KEY_TESTS}\` (\`npx jest ${KEY_TESTS} -t 'TITLE'\`): it changes the key on a cluster and compares`,
    "what the program makes of it with this page.",
    "",
    "| key | a change | what the preview shows | title of its test |",
    "| --- | --- | --- | --- |",
    ...keys.map((key) => {
      const { change } = metaOf(key.schema);
      if (change === undefined) throw new Error(`${key.path.join(".")} does not say what a change does`);
      const { label, announced } = EFFECTS[change];
      return `| ${[code(key.path.join(".")), label, announced, code(keyTest(key))].join(" | ")} |`;
    }),
    "",
  ].join("\n");
}

/** The title of a key's test. */
export const keyTest = ({ path, schema }: Key): string => `${path.join(".")}: ${metaOf(schema).change}`;

const HEAD = `# The config

This page lists every key below \`proxmox-k3s:cluster\` in a stack file. \`npm run docs\` generates it from \`config/schema.ts\`.
An editor that supports JSON schemas can complete and check a stack file if its first line is
\`# yaml-language-server: $schema=schema/cluster.schema.json\`. [Pulumi.homelab.yaml](../Pulumi.homelab.yaml) is a complete
example. If the config has mistakes, the program creates nothing, and the error lists all of them.

## What a change does

The last column of the tables says what a change of the key does to a running cluster. A preview needs only the stack's state
to show it, not Proxmox VE or the cluster.

The tests in the last column make such a change with \`pulumi up\`. Each key has a test, too: see [the end of this
page](#changes-and-their-tests).

| effect | what happens | what the preview shows | test |
| --- | --- | --- | --- |
${Object.values(EFFECTS)
  .map(({ label, text, announced, test }) => `| ${label} | ${text} | ${announced} | \`${test}\` |`)
  .join("\n")}
`;

/** Each section has a table, and so does each map of objects with free names. */
function sectionOf(path: readonly string[]): string {
  const free = path.map((key) => key.startsWith("<")).lastIndexOf(true);
  return path.slice(0, free >= 0 ? free + 1 : path.length > 1 ? 1 : 0).join(".");
}

function renderSection(section: string, keys: readonly Key[]): string {
  const depth = section === "" ? 0 : section.split(".").length;
  const own = keys.filter(({ path }) => sectionOf(path) === section);
  const description = metaOf(schemaOf(section)).description;
  return [
    `## ${section === "" ? "The cluster" : `\`${section}\``}`,
    "",
    ...(description === undefined ? [] : [description, ""]),
    "| key | what it sets | value | default | example | a change |",
    "| --- | --- | --- | --- | --- | --- |",
    ...own.map(({ path, schema }) => `| ${cells(path.slice(depth).join("."), schema).join(" | ")} |`),
    "",
  ].join("\n");
}

function schemaOf(section: string): Schema {
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
    }, clusterSchema);
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
  throw new Error("a key of the config has neither words nor a type that the page knows");
}

function defaultWords(schema: Schema): string {
  if (!isOptional(schema)) return "required";
  const value = defaultOf(schema);
  if (value === undefined) return metaOf(schema).otherwise ?? "none";
  return typeof value === "object" && Object.keys(value as object).length === 0 ? "none" : code(inFlow(value));
}

const code = (text: string): string => `\`${text}\``;
