import { spawnSync } from "node:child_process";
import path from "node:path";

import type { PropertyFormat } from "../../../lab/pve/schema/propertyString";
import type { ParameterTable, Schema } from "../../../lab/pve/schema/schema";
import { endpoints } from "../../../lab/pve/server";
import type { PveSchema } from "../../support/pveFacts";
import { officialApi } from "../../support/pveSchema";

const repo = path.join(__dirname, "../../..");
const tsx = path.join(repo, "node_modules/.bin/tsx");

/** Limits and types of one parameter, in the same form for both sides. Patterns and named formats are not compared. */
function described(schema: Schema): unknown {
  const { type, optional, minimum, maximum, minLength, maxLength, requires } = schema;
  return clean({
    ...{ type, optional: Boolean(optional), minimum, maximum, minLength, maxLength, requires },
    enum: schema.enum,
    parts: typeof schema.format === "object" ? parts(schema.format) : undefined,
    format: typeof schema.format === "string" ? schema.format : undefined,
  });
}

function parts({ properties, defaultKey, aliases = {}, joined }: PropertyFormat): unknown {
  const models = joined ? (properties[joined.key]?.enum ?? []) : [];
  return {
    ...{ defaultKey, properties: mapped(properties, described) },
    aliases: { ...aliases, ...Object.fromEntries(models.map((name) => [name, joined!.value])) },
    keys: Object.fromEntries(models.map((name) => [name, joined!.key])),
  };
}

function officialParts(format: Record<string, PveSchema>): unknown {
  const of = (pick: (part: PveSchema) => string | undefined) =>
    Object.fromEntries(Object.entries(format).flatMap(([name, part]) => (pick(part) ? [[name, pick(part)]] : [])));
  return {
    defaultKey: Object.keys(format).find((key) => format[key]?.default_key),
    properties: mapped(
      Object.fromEntries(Object.entries(format).filter(([, part]) => part.alias === undefined)),
      officially,
    ),
    aliases: of(({ alias }) => alias),
    keys: of(({ keyAlias }) => keyAlias),
  };
}

function officially(schema: PveSchema): unknown {
  const { type, optional, minLength, maxLength, requires, format } = schema;
  const number = (value: number | string | undefined) => (value === undefined ? undefined : Number(value));
  return clean({
    ...{
      type,
      optional: Boolean(Number(optional ?? 0)),
      minLength,
      maxLength,
      requires,
      enum: schema.enum ?? undefined,
    },
    ...{ minimum: number(schema.minimum), maximum: number(schema.maximum) },
    parts: typeof format === "object" ? officialParts(format) : undefined,
    format: typeof format === "string" ? format : undefined,
  });
}

function mapped<T>(table: Readonly<Record<string, T>>, describe: (value: T) => unknown): Record<string, unknown> {
  return Object.fromEntries(Object.entries(table).map(([key, value]) => [key, describe(value)]));
}

function clean(value: Record<string, unknown>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).filter(([, part]) => part !== undefined));
}

/** `net0` … `net31` is one entry in the official description. */
function folded(table: ParameterTable): Record<string, unknown> {
  // There is only one of these, but its name has a number.
  const isSingle = (key: string) => /^(efidisk|tpmstate|rng|audio|smbios)\d$/.test(key);
  const isNumbered = (key: string) => /\d$/.test(key) && !isSingle(key);
  return Object.fromEntries(
    Object.entries(table)
      .filter(([key]) => !isNumbered(key) || /[a-z]0$/.test(key))
      .map(([key, schema]) => [isNumbered(key) ? key.replace(/\d+$/, "[n]") : key, described(schema)]),
  );
}

describe(`our parameter tables match the official API (${officialApi().name})`, () => {
  test.each(endpoints.map((endpoint) => [`${endpoint.method} ${endpoint.path}`, endpoint] as const))(
    "%s",
    (_, endpoint) => {
      const official = officialApi().api[endpoint.path]?.[endpoint.method];
      expect(official).toBeDefined();
      const expected = mapped(official!.parameters?.properties ?? {}, officially);
      expect(folded(endpoint.parameters)).toEqual(expected);
      expect(endpoint.allowToken ?? true).toBe(Boolean(official!.allowtoken));
    },
  );

  test("the repository's table of facts agrees with the official API; `npm run api-facts` writes it", () => {
    // In another process: the formatter is an ES module, which jest does not load.
    const { status, stderr } = spawnSync(tsx, ["scripts-dev/apiFacts.ts", "--check"], { cwd: repo, encoding: "utf8" });
    expect([status, stderr]).toEqual([0, ""]);
  });

  test("a table has each endpoint once", () => {
    const names = endpoints.map(({ method, path }) => `${method} ${path}`);
    expect(new Set(names).size).toBe(names.length);
  });
});
