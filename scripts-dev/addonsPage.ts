import { addonsSchema } from "../addons/config/schema";
import { renderTables } from "./configTables";

export const ADDONS_PAGE = "docs/addons-config.md";

/** The text of `docs/addons-config.md`, not formatted yet. */
export const renderAddonsPage = (): string => [HEAD, renderTables(addonsSchema, "The add-ons"), ""].join("\n");

const HEAD = `# The config of the add-ons

This page lists every key below \`proxmox-k3s-addons:addons\` in a stack file of \`addons/\`. \`npm run docs\` generates it from
\`addons/config/schema.ts\`. An editor that supports JSON schemas can complete and check a stack file if its first line is
\`# yaml-language-server: $schema=../schema/addons.schema.json\`. [addons/Pulumi.example.yaml](../addons/Pulumi.example.yaml) is an
example, and [Add-ons](addons.md) says what each part does. If the config has mistakes, the program creates nothing, and the error
lists all of them.

Nothing is deployed by default. The keys of a section apply only if the section exists.
`;
