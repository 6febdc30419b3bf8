import Ajv, { type ValidateFunction } from "ajv";

import type { Exchange } from "../../lab/pve/http/exchange";
import { type ApiSource, type PveSchema, readApiSource } from "./pveFacts";

let source: ApiSource | undefined;

/** The official API; read once. */
export function officialApi(): ApiSource {
  return (source ??= readApiSource());
}

/**
 * Checks requests and their answers against the official schema.
 *
 * @throws Error with each problem once
 */
export function assertOfficial(exchanges: readonly Exchange[]): void {
  const problems = new Set(exchanges.flatMap(schemaProblems));
  if (problems.size > 0) throw new Error(`does not match the official schema:\n${[...problems].join("\n")}`);
}

/**
 * Checks a request and its answer against the official schema. @returns the problems; none if everything matches
 *
 * A request that does not match must have been refused, and an answer with status 200 must have the shape that Proxmox VE promises.
 */
export function schemaProblems(exchange: Exchange): string[] {
  const { method, path: encoded, status, body } = exchange;
  const label = `${method} ${encoded} → ${status}`;
  const found = findMethod(method, encoded);
  if (!found) return status === 501 || status === 401 ? [] : [`${label}: no such method in the official API`];
  const params = { ...exchange.params, ...found.pathParams };
  const request = check(
    `${method} ${found.path} request`,
    found.info.parameters,
    coerced(params, found.info.parameters),
  );
  if (status !== 200) return errorProblems(label, exchange);
  const data = (body as { data?: unknown }).data;
  const isUndescribed = undescribed[`${method} ${found.path}`]?.((body as { data?: unknown }).data);
  const isLeftOut = data === null && Number(found.info.returns?.optional ?? 0) === 1;
  const answer = isUndescribed || isLeftOut ? [] : check(`${method} ${found.path} answer`, found.info.returns, data);
  return [
    ...request.map((problem) => `${label}: request ${problem}`),
    ...answer.map((problem) => `${label}: answer ${problem}`),
  ];
}

/** Answers of the real API that the official schema does not describe. */
const undescribed: Readonly<Record<string, (data: unknown) => boolean>> = {
  // `get_interfaces` returns nothing for a container that does not run.
  "GET /nodes/{node}/lxc/{vmid}/interfaces": (data) => data === null,
};

/** An error has a text in its status line and, for bad parameters, a text for each of them. */
function errorProblems(label: string, { status, reason, body }: Exchange): string[] {
  const { data, message, errors } = body as { data: unknown; message?: string; errors?: Record<string, string> };
  const problems: string[] = [];
  if (data !== null) problems.push(`${label}: an error carries data`);
  if (!message?.trim() || !reason) problems.push(`${label}: an error has no text`);
  if (errors && (status !== 400 || Object.keys(errors).length === 0))
    problems.push(`${label}: errors where none belong`);
  return problems;
}

type Methods = ApiSource["api"][string];

let patterns: readonly (readonly [path: string, parts: readonly string[], methods: Methods])[] | undefined;

/** The API method for a path, and the parameters in the path. */
function findMethod(method: string, encodedPath: string) {
  patterns ??= Object.entries(officialApi().api).map(([path, methods]) => [path, partsOf(path), methods] as const);
  const segments = partsOf(encodedPath).map(decodeURIComponent);
  for (const [path, pattern, methods] of patterns) {
    const info = methods[method];
    if (!info || pattern.length !== segments.length) continue;
    if (!pattern.every((part, index) => part.startsWith("{") || part === segments[index])) continue;
    const pathParams = Object.fromEntries(
      pattern.flatMap((part, index) => (part.startsWith("{") ? [[part.slice(1, -1), segments[index]]] : [])),
    );
    return { path, info, pathParams };
  }
  return undefined;
}

const partsOf = (path: string): string[] => path.split("/").filter(Boolean);

const ajv = new Ajv({ strict: false, allErrors: true, validateFormats: false, unicodeRegExp: false });
ajv.addKeyword({
  keyword: "propertyString",
  schemaType: "object",
  compile: (format: Record<string, PveSchema>) => {
    const parts = Object.fromEntries(Object.entries(format).filter(([, part]) => part.alias === undefined));
    const validate = ajv.compile(toJsonSchema({ type: "object", properties: parts, additionalProperties: 0 }));
    return (text: string) => {
      const found = splitProperties(text, format);
      return found !== undefined && validate(coerced(found, { properties: parts }));
    };
  },
});

const validators = new Map<string, ValidateFunction>();

function check(name: string, schema: PveSchema | undefined, value: unknown): string[] {
  if (!schema) return [];
  const validate = validators.get(name) ?? ajv.compile(toJsonSchema(schema));
  validators.set(name, validate);
  if (validate(value)) return [];
  return (validate.errors ?? []).map(
    ({ instancePath, message, params }) => `${instancePath || "/"} ${message} ${JSON.stringify(params)}`,
  );
}

/** Proxmox VE's dialect as JSON schema. Flags in answers are 0 or 1. */
function toJsonSchema(schema: PveSchema): Record<string, unknown> {
  const type = schema.type ?? (schema.properties ? "object" : undefined);
  if (type === "boolean") return { enum: [0, 1, true, false] };
  if (type === "null") return { type: "null" };
  if (type === "array") return { type: "array", ...(schema.items && { items: toJsonSchema(schema.items) }) };
  if (type === "object") return objectSchema(schema);
  if (type === "integer" || type === "number") {
    return {
      type: type === "number" ? ["number", "string"] : type,
      ...(schema.minimum !== undefined && { minimum: Number(schema.minimum) }),
      ...(schema.maximum !== undefined && { maximum: Number(schema.maximum) }),
    };
  }
  if (type === "string") {
    return {
      type: "string",
      ...(schema.enum && { enum: schema.enum }),
      ...(schema.pattern && { pattern: `^(?:${fromPerl(schema.pattern)})$` }),
      ...(schema.maxLength !== undefined && { maxLength: schema.maxLength }),
      ...(schema.minLength !== undefined && { minLength: schema.minLength }),
      ...(typeof schema.format === "object" && { propertyString: schema.format }),
    };
  }
  return {};
}

function objectSchema({ properties = {}, additionalProperties }: PveSchema): Record<string, unknown> {
  const named = Object.entries(properties).filter(([key]) => !key.endsWith("[n]"));
  const families = Object.entries(properties).filter(([key]) => key.endsWith("[n]"));
  return {
    type: "object",
    properties: Object.fromEntries(named.map(([key, value]) => [key, toJsonSchema(value)])),
    patternProperties: Object.fromEntries(
      families.map(([key, value]) => [`^${key.slice(0, -3)}\\d+$`, toJsonSchema(value)]),
    ),
    required: named.filter(([, value]) => !Number(value.optional ?? 0)).map(([key]) => key),
    ...(additionalProperties === 0 && { additionalProperties: false }),
  };
}

/** Perl writes `(?^:…)` for a compiled pattern, and it has atomic groups (`(?>…)`); JavaScript has neither. */
function fromPerl(pattern: string): string {
  return pattern.replace(/\(\?(\^u?:|>)/g, "(?:").replace(/\\0/g, "\\x00");
}

/** A request's texts in the types that Proxmox VE reads: `"1"` is the number 1 if the schema asks for an integer. */
function coerced(params: Record<string, unknown>, schema: PveSchema | undefined): Record<string, unknown> {
  const typeOf = (key: string) => {
    const found = schema?.properties?.[key] ?? schema?.properties?.[key.replace(/\d+$/, "[n]")];
    const isList = typeof found?.format === "string" && found.format.endsWith("-list");
    return isList ? "list" : found?.type;
  };
  return Object.fromEntries(
    Object.entries(params).map(([key, value]) => {
      const type = typeOf(key);
      if (type === "list" && Array.isArray(value)) return [key, value.join(",")];
      if (type === "array") return [key, [value].flat()];
      if (type === "string" && typeof value === "number") return [key, String(value)];
      const isNumeric = typeof value === "string" && /^[+-]?\d+(\.\d+)?$/.test(value);
      return [key, isNumeric && ["integer", "number", "boolean"].includes(type ?? "") ? Number(value) : value];
    }),
  );
}

/** Splits `a=1,b=2` by key; a part without a key gets the default key. Undefined if the text is no property string. */
function splitProperties(text: string, format: Record<string, PveSchema>): Record<string, unknown> | undefined {
  const defaultKey = Object.keys(format).find((key) => format[key]?.default_key);
  const result: Record<string, unknown> = {};
  for (const part of text.split(",").filter(Boolean)) {
    const [name, value] = part.includes("=") ? part.split(/=(.*)/s) : [defaultKey, part];
    const { alias, keyAlias } = format[name ?? ""] ?? {};
    const key = alias ?? name;
    if (!key || key in result) return undefined;
    result[key] = value;
    if (keyAlias) result[keyAlias] = name;
  }
  return result;
}
