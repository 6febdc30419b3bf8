import * as fs from "node:fs";
import * as path from "node:path";

import { endpoints } from "../../lab/pve/server";

/** A schema in Proxmox VE's dialect: flags are numbers, `format` may describe the parts of a property string. */
export interface PveSchema {
  type?: string;
  optional?: number | string;
  properties?: Record<string, PveSchema>;
  additionalProperties?: number | PveSchema;
  items?: PveSchema;
  format?: string | Record<string, PveSchema>;
  pattern?: string;
  enum?: unknown[];
  minimum?: number | string;
  maximum?: number | string;
  minLength?: number;
  maxLength?: number;
  requires?: string;
  default_key?: number;
  /** This part of a property string is another name of the part `alias`. */
  alias?: string;
  /** In this part, the name itself is the value of `keyAlias`: `virtio=BC:24:…` is `model=virtio,macaddr=BC:24:…`. */
  keyAlias?: string;
}

export interface PveMethod {
  allowtoken?: number;
  parameters?: PveSchema;
  returns?: PveSchema;
}

/** Methods by path and name: `api["/version"]["GET"]`. */
export type PveApi = Readonly<Record<string, Readonly<Record<string, PveMethod>>>>;

/** The repository's own table: facts of the official schema about the endpoints that the lab serves. */
export const FACTS_FILE = path.join(__dirname, "../fixtures/pveApi.json");
const BESIDE = path.join(__dirname, "../../../shared/proxmox/pve-api-9.2.3.json");

/** The official API to check against, and its source. */
export interface ApiSource {
  readonly api: PveApi;
  /** Shown to people. */
  readonly name: string;
  readonly isFull: boolean;
}

/**
 * The full official schema of Proxmox VE 9.2.3 if `PVE_API_SCHEMA` names it or it is next to the repository; else the
 * repository's own table of facts.
 * @throws Error if `PVE_API_SCHEMA` names a file that does not exist
 */
export function readApiSource(): ApiSource {
  const full = process.env["PVE_API_SCHEMA"] ?? BESIDE;
  if (fs.existsSync(full)) return { api: readFull(full), name: `the full official schema, ${full}`, isFull: true };
  if (process.env["PVE_API_SCHEMA"]) throw new Error(`PVE_API_SCHEMA names ${full}, which does not exist`);
  const api = JSON.parse(fs.readFileSync(FACTS_FILE, "utf8")) as PveApi;
  return { api, name: "the repository's table of its facts, tests/fixtures/pveApi.json", isFull: false };
}

/** A node of the official file: `info` by method, `children` below. */
interface FullNode {
  readonly path: string;
  readonly info?: Record<string, PveMethod>;
  readonly children?: readonly FullNode[];
}

function readFull(file: string): PveApi {
  const flat = ({ path, info = {}, children = [] }: FullNode): [string, Record<string, PveMethod>][] => [
    [path, info],
    ...children.flatMap(flat),
  ];
  return Object.fromEntries((JSON.parse(fs.readFileSync(file, "utf8")) as FullNode[]).flatMap(flat));
}

/**
 * The facts about the endpoints that the lab serves: names, types, bounds, enumerations, patterns and formats, sorted, without
 * the schema's prose. The facts of such a table are the same table.
 * @throws Error if the official API does not have an endpoint
 */
export function factsOf(api: PveApi): PveApi {
  const facts: Record<string, Record<string, PveMethod>> = {};
  for (const { path, method } of endpoints) {
    const official = api[path]?.[method];
    if (!official) throw new Error(`the official API has no ${method} ${path}`);
    const { allowtoken, parameters, returns } = official;
    const own = {
      allowtoken,
      parameters: parameters && schemaFacts(parameters),
      returns: returns && schemaFacts(returns),
    };
    facts[path] = sorted({ ...facts[path], [method]: defined(own) });
  }
  return sorted(facts);
}

function schemaFacts(schema: PveSchema): PveSchema {
  const { properties, additionalProperties, items, format } = schema;
  const { type, optional, pattern, minimum, maximum, minLength, maxLength, requires, alias, keyAlias } = schema;
  const values = { type, optional, pattern, minimum, maximum, minLength, maxLength, requires, alias, keyAlias };
  return sorted(
    defined({
      ...values,
      enum: schema.enum,
      default_key: schema.default_key,
      properties: properties && partFacts(properties),
      items: items && schemaFacts(items),
      format: typeof format === "object" ? partFacts(format) : format,
      additionalProperties:
        typeof additionalProperties === "object" ? schemaFacts(additionalProperties) : additionalProperties,
    }),
  );
}

function partFacts(parts: Record<string, PveSchema>): Record<string, PveSchema> {
  return sorted(Object.fromEntries(Object.entries(parts).map(([name, part]) => [name, schemaFacts(part)])));
}

function sorted<T extends object>(table: T): T {
  return Object.fromEntries(Object.entries(table).sort(([a], [b]) => (a < b ? -1 : 1))) as T;
}

type Defined<T> = { [Key in keyof T]?: Exclude<T[Key], undefined> };

function defined<T extends object>(table: T): Defined<T> {
  const entries = Object.entries(table).filter(([, value]) => value !== undefined && value !== null);
  return Object.fromEntries(entries) as Defined<T>;
}
