/**
 * `npm run chart-facts -- NAME VERSION FILE KEY…`: writes the keys of a chart's values or of a custom resource, with their types, to
 * `addons/tests/fixtures/charts/NAME.json`. They are facts about the vendor's file; its texts are not copied.
 */
import fs from "node:fs";
import path from "node:path";
import { Command } from "commander";
import prettier from "prettier";
import { parseAllDocuments } from "yaml";

/** A JSON schema, only the parts that are read. */
interface Node {
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, Node>>;
  readonly additionalProperties?: boolean | Node;
  readonly items?: Node;
}

/**
 * Types by path; `*` is any key of a map, `[]` is an entry of a list. An `object` without its own keys accepts any key. The words
 * of an enumeration are written as `=word` instead of their type.
 */
function keysOf(node: Node, at: string): Record<string, string[]> {
  const { type = [], properties = {}, additionalProperties, items } = node;
  const below = Object.entries(properties).map(([key, child]) => keysOf(child, `${at}.${key}`));
  if (typeof additionalProperties === "object") below.push(keysOf(additionalProperties, `${at}.*`));
  if (items?.properties || items?.enum) below.push(keysOf(items, `${at}[]`));
  const types = node.enum?.map((word) => `=${String(word)}`) ?? [type].flat();
  return Object.assign({ [at]: types }, ...below) as Record<string, string[]>;
}

/** A CustomResourceDefinition, only the parts that are read. */
interface Definition {
  readonly spec?: {
    readonly names?: { readonly kind: string };
    readonly versions: readonly { readonly storage: boolean; readonly schema: { readonly openAPIV3Schema: Node } }[];
  };
}

/**
 * The schema in a file: a JSON schema, the schema of a kind in CustomResourceDefinitions, or one from a chart's default values.
 */
function schemaOf(file: string, kind: string): Node {
  const text = fs.readFileSync(file, "utf8");
  if (file.endsWith(".json")) return JSON.parse(text) as Node;
  // Charts have their CRDs as templates.
  const documents = parseAllDocuments(text.replaceAll(/^.*\{\{.*$/gm, "")).map((each) => each.toJS() as Definition);
  const definition = documents.find(({ spec }) => spec?.names?.kind === kind)?.spec;
  if (definition === undefined) return schemaOfValue(documents[0]);
  return definition.versions.find(({ storage }) => storage)!.schema.openAPIV3Schema;
}

function schemaOfValue(value: unknown): Node {
  if (Array.isArray(value)) return { type: "array" };
  // A default of null says nothing about the type.
  if (value === null) return {};
  if (typeof value !== "object") return { type: typeof value };
  const properties = Object.entries(value).map(([key, child]) => [key, schemaOfValue(child)] as const);
  return { type: "object", properties: Object.fromEntries(properties) };
}

new Command("chart-facts")
  .argument("<name>", "name of the chart or of the kind")
  .argument("<version>", "version of the chart or of the controller")
  .argument("<file>", "values.schema.json or values.yaml of the chart, or a CustomResourceDefinition")
  .argument("<sections...>", "the keys at the top that the program sets")
  .action(async (name: string, version: string, file: string, sections: string[]) => {
    const { properties = {} } = schemaOf(file, name);
    const keys = Object.assign({}, ...sections.map((key) => keysOf(properties[key] ?? {}, key))) as object;
    const target = path.join(__dirname, "../addons/tests/fixtures/charts", `${name}.json`);
    const options = { ...(await prettier.resolveConfig(target)), filepath: target };
    fs.mkdirSync(path.dirname(target), { recursive: true });
    fs.writeFileSync(target, await prettier.format(JSON.stringify({ name, version, keys }), options));
  })
  .parseAsync()
  .catch((error: unknown) => {
    process.stderr.write(`chart-facts: ${String(error)}\n`);
    process.exitCode = 1;
  });
