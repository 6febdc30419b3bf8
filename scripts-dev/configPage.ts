import { EFFECTS } from "../config/meta";
import { clusterSchema } from "../config/schema";
import { metaOf } from "../config/walk";
import { code, type Key, keysBelow, renderTables } from "./configTables";

export const CONFIG_PAGE = "docs/config.md";

/** The file that has one test for each key. */
export const KEY_TESTS = "tests/unit/plan/effects.test.ts";

/** The text of `docs/config.md`, not formatted yet. */
export function renderConfigPage(): string {
  return [HEAD, renderTables(clusterSchema, "The cluster"), renderTests(keysBelow(clusterSchema)), ""].join("\n");
}

/** A row for each key: what a change does, how it is announced, and the title of its test in {@link KEY_TESTS}. */
function renderTests(keys: readonly Key[]): string {
  return [
    "## Changes and their tests",
    "",
    `Each row is a test in \`${KEY_TESTS}\` (\`npx jest ${KEY_TESTS} -t 'TITLE'\`): it changes the key on a cluster and compares`,
    "what the program does with this page.",
    "",
    "| key | a change | what the preview shows | title of its test |",
    "| --- | --- | --- | --- |",
    ...keys.map((key) => {
      const { change } = metaOf(key.schema);
      if (change === undefined) throw new Error(`${key.path.join(".")} has no text about a change`);
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

The tests in the last column make such a change with \`pulumi up\`. Each key also has a test: see [the end of this
page](#changes-and-their-tests).

| effect | what happens | what the preview shows | test |
| --- | --- | --- | --- |
${Object.values(EFFECTS)
  .map(({ label, text, announced, test }) => `| ${label} | ${text} | ${announced} | \`${test}\` |`)
  .join("\n")}
`;
