/**
 * `npm run chart-facts -- NAME VERSION SCHEMA SECTION…`: writes the keys of a chart's values, with their types, to
 * `addons/tests/fixtures/charts/NAME.json`. They are facts about the vendor's values.schema.json; its texts are not copied.
 */
import fs from "node:fs";
import path from "node:path";
import { Command } from "commander";
import prettier from "prettier";

interface Node {
  readonly type?: string | readonly string[];
  readonly properties?: Readonly<Record<string, Node>>;
  readonly additionalProperties?: boolean | Node;
}

/** Types by path; `*` stands for any key of a map. An `object` without keys of its own is free. */
function keysOf(node: Node, at: string): Record<string, string[]> {
  const { type = [], properties = {}, additionalProperties } = node;
  const below = Object.entries(properties).map(([key, child]) => keysOf(child, `${at}.${key}`));
  if (typeof additionalProperties === "object") below.push(keysOf(additionalProperties, `${at}.*`));
  return Object.assign({ [at]: [type].flat() }, ...below) as Record<string, string[]>;
}

new Command("chart-facts")
  .argument("<name>", "of the chart")
  .argument("<version>", "of the chart")
  .argument("<schema>", "the chart's values.schema.json")
  .argument("<sections...>", "the keys at the top that the program sets")
  .action(async (name: string, version: string, file: string, sections: string[]) => {
    const { properties = {} } = JSON.parse(fs.readFileSync(file, "utf8")) as Node;
    const keys = Object.assign({}, ...sections.map((key) => keysOf(properties[key] ?? {}, key))) as object;
    const target = path.join(__dirname, "../addons/tests/fixtures/charts", `${name}.json`);
    const options = { ...(await prettier.resolveConfig(target)), filepath: target };
    fs.mkdirSync(path.dirname(target), { recursive: true });
    fs.writeFileSync(target, await prettier.format(JSON.stringify({ chart: name, version, keys }), options));
  })
  .parseAsync()
  .catch((error: unknown) => {
    process.stderr.write(`chart-facts: ${String(error)}\n`);
    process.exitCode = 1;
  });
