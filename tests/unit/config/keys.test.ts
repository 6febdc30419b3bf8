import fs from "node:fs";
import path from "node:path";
import { ConfigError, loadPlan } from "../../../plan/load";
import { defaultOf, isOptional, metaOf } from "../../../config/walk";
import { clusterSchema } from "../../../config/schema";
import { keysBelow, type Key } from "../../../scripts-dev/configTables";
import { stackFileSchema } from "../../../scripts-dev/clusterSchema";
import { baseConfig, changed } from "./support";

/** Every key has the texts that a person needs: `docs/config.md` and the editor's schema are generated from them. */
const keys = keysBelow(clusterSchema);
const nameOf = ({ path: steps }: Key): string => steps.join(".");
const named = keys.map((key) => [nameOf(key), key] as const);

test("there are as many keys as the schema has", () => expect(keys.length).toBeGreaterThan(60));

test.each(named)("%s has a description, and states the effect of a change", (_, { schema }) => {
  const { description, change } = metaOf(schema);
  expect(description).toMatch(/^[A-Z`].*\.$/);
  expect(change).toEqual(expect.any(String));
});

test.each(named)("%s has an example that it accepts", (_, { schema }) => {
  const { example } = metaOf(schema);
  expect(example).toBeDefined();
  expect(schema.safeParse(example).error).toBeUndefined();
});

test.each(named)("%s is required, has a default, or says what applies without it", (_, { schema }) => {
  const optional = isOptional(schema);
  expect(optional).toBe(defaultOf(schema) !== undefined || metaOf(schema).otherwise !== undefined);
});

const NAMES: Readonly<Record<string, string>> = {
  ...{
    "<pool>": "worker",
    "<lxc pool>": "worker",
    "<vm pool>": "spare",
    "<index>": "3",
    "<name>": "metrics",
    "<registry>": "docker.io",
  },
};

/** The base config, or one of its pools of virtual machines, with an invalid value for every key: a list in a list. */
function withWrong({ path: steps }: Key): unknown {
  const place = steps.map((step) => NAMES[step] ?? step);
  return changed(
    changed(baseConfig(), { pools: { spare: { kind: "vm", template: 9000 } } }),
    place.reduceRight<unknown>((value, step) => ({ [step]: value }), [[[]]]),
  );
}

function problemsOf(config: unknown): string[] {
  try {
    loadPlan(config, {});
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems.map(({ path: place }) => place);
    throw error;
  }
}

const independent = named.filter(([, { schema }]) => metaOf(schema).independent === true);

test.each(independent)("an invalid %s hides no other problem and causes none", (_, key) => {
  const alone = problemsOf(withWrong(key));
  expect(alone).toHaveLength(1);
  const even = { pools: { master: { count: 2 } } };
  expect(problemsOf(changed(withWrong(key), even))).toEqual(
    expect.arrayContaining([...alone, "cluster.pools.master.count"]),
  );
});

test("docs/config.md has a row for every key of the JSON schema", () => {
  const page = fs.readFileSync(path.join(__dirname, "../../../docs/config.md"), "utf8");
  const rows = new Set([...page.matchAll(/^\| `([^`]+)`/gm)].map(([, name]) => name!.split(".").at(-1)));
  expect(namesIn(stackFileSchema()).filter((name) => !rows.has(name))).toEqual([]);
});

/** Names of the properties that have no properties themselves, below `proxmox-k3s:cluster`. */
function namesIn(schema: unknown): string[] {
  const { oneOf } = schema as { readonly oneOf?: readonly unknown[] };
  if (oneOf) return oneOf.flatMap(namesIn);
  const { properties, additionalProperties } = schema as Record<string, Record<string, unknown> | undefined>;
  const deeper = typeof additionalProperties === "object" ? namesIn(additionalProperties) : [];
  return Object.entries(properties ?? {})
    .filter(([name]) => !name.startsWith("proxmox-k3s:") || name === "proxmox-k3s:cluster")
    .flatMap(([name, child]) => {
      const below = namesIn(child);
      return below.length > 0 ? below : [name];
    })
    .concat(deeper);
}
