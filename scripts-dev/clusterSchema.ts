import { z } from "zod";
import { clusterSchema } from "../config/schema";
import { metaOf } from "../config/walk";
import { changeOf } from "./configTables";
import { SCHEMA_RULES } from "./schemaRules";

export const SCHEMA_FILE = "schema/cluster.schema.json";

type Json = Record<string, unknown>;

/** A JSON schema (draft 7) of a stack file, for editors. The file's first line names it: `# yaml-language-server: $schema=…`. */
export function stackFileSchema(): Json {
  const cluster = z.toJSONSchema(clusterSchema, { io: "input", target: "draft-7", override: speak }) as Json;
  const { $schema, ...body } = cluster;
  for (const [path, rule] of Object.entries(SCHEMA_RULES)) {
    for (const value of valuesAt(body, path)) value["allOf"] = [rule];
  }
  return {
    $schema,
    title: "A stack file of proxmox-k3s",
    description: "Written by `npm run docs` from config/schema.ts.",
    type: "object",
    properties: { config: { type: "object", properties: { "proxmox-k3s:cluster": body, ...secrets() } } },
  };
}

/** The schemas of a value by its path below `cluster`: one for each kind of pool. */
function valuesAt(schema: Json, path: string): Json[] {
  return path
    .split(".")
    .reduce<Json[]>(
      (all, key) =>
        all
          .flatMap((at) => (at["oneOf"] ?? [at]) as Json[])
          .map((at) => (key === "*" ? at["additionalProperties"] : (at["properties"] as Json)[key]) as Json),
      [schema],
    );
}

/** Replaces our own metadata with what an editor shows: the description, what a change does, and an example. */
export function speak({ zodSchema, jsonSchema }: { zodSchema: unknown; jsonSchema: object }): void {
  const meta = metaOf(zodSchema as z.ZodType);
  const json = jsonSchema as Json;
  for (const key of Object.keys(meta)) delete json[key];
  // Editors know few formats, and the pattern already says the same.
  if (json["pattern"] !== undefined) delete json["format"];
  // Bounds that zod itself adds to each whole number.
  if (json["minimum"] === Number.MIN_SAFE_INTEGER) delete json["minimum"];
  if (json["maximum"] === Number.MAX_SAFE_INTEGER) delete json["maximum"];
  const description = [
    meta.description,
    meta.must === undefined ? undefined : `Must be ${meta.must}.`,
    meta.otherwise === undefined ? undefined : `Default: ${meta.otherwise}.`,
    meta.change === undefined ? undefined : `A change on a running cluster: ${changeOf(meta.change, meta.changeNote)}.`,
  ].filter((part) => part !== undefined);
  if (description.length > 0) json["description"] = description.join(" ");
  if (meta.example !== undefined) json["examples"] = [meta.example];
}

/** The values that Pulumi writes for `pulumi config set --secret`. */
function secrets(): Json {
  const descriptions = {
    proxmoxApiToken: "API token of Proxmox VE, user@realm!name=uuid.",
    hostPrivateKey: "Private SSH key (OpenSSH form) for the Proxmox host.",
    nodePrivateKey: "Private SSH key (OpenSSH form) whose public key is in ssh.authorizedKeys.",
    registryAuth:
      "Users and passwords of the registries in k3s.registries, in the form of Docker's config.json (docs/registries.md).",
  };
  const secure = { type: "object", properties: { secure: { type: "string" } }, required: ["secure"] };
  return Object.fromEntries(
    Object.entries(descriptions).map(([name, description]) => [
      `proxmox-k3s:${name}`,
      { description: `${description} A secret: \`pulumi config set --secret ${name}\`.`, ...secure },
    ]),
  );
}
