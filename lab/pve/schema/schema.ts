import { ApiError, messageOf, parameterError } from "../errors";
import { checkNamedFormat } from "./formats";
import { parsePropertyString, type PropertyFormat } from "./propertyString";

/**
 * One parameter, in the terms of `PVE::JSONSchema`. The tables are written by hand for the endpoints that the lab serves;
 * tests compare them with the official schema.
 */
export interface Schema {
  /** A call's parameter of the type `array` is kept as JSON: see {@link listParameter}. */
  readonly type: "string" | "integer" | "number" | "boolean" | "array";
  readonly optional?: boolean;
  /** A named format, or the parts of a property string. */
  readonly format?: string | PropertyFormat;
  readonly pattern?: RegExp;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly enum?: readonly string[];
  /** Another parameter that this one needs. */
  readonly requires?: string;
}

export type ParameterTable = Readonly<Record<string, Schema>>;

/** Checked parameters of one call, path parameters included. PVE keeps numbers and booleans as text too. */
export type Params = Record<string, string>;

/** Parameters as received: form fields and JSON values; a form field given twice is an array. */
export type RawParams = Readonly<Record<string, unknown>>;

export function required(type: Schema["type"], rest: Omit<Schema, "type" | "optional"> = {}): Schema {
  return { type, ...rest };
}

export function optional(type: Schema["type"], rest: Omit<Schema, "type" | "optional"> = {}): Schema {
  return { type, optional: true, ...rest };
}

/** `net0` … `net31` from one schema. */
export function numbered(prefix: string, count: number, schema: Schema): ParameterTable {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`${prefix}${index}`, schema]));
}

/**
 * Checks and normalises the parameters of a call as `RESTHandler::handle` does: repeated form fields are joined for
 * string lists and refused otherwise, unknown ones are refused.
 *
 * @throws ApiError 400 that names every parameter that is wrong.
 */
export function checkParameters(raw: RawParams, table: ParameterTable): Params {
  const errors: Record<string, string> = {};
  const params: Params = {};
  for (const [name, value] of Object.entries(raw)) {
    if (value === undefined || value === null) continue;
    const schema = table[name];
    if (!schema) {
      errors[name] = "property is not defined in schema and the schema does not allow additional properties";
      continue;
    }
    const text = schema.type === "array" ? JSON.stringify([value].flat()) : toText(value, schema);
    if (text === undefined)
      errors[name] = `type check ('${schema.type}') failed - got ${Array.isArray(value) ? "ARRAY" : "HASH"}`;
    else params[name] = text;
  }
  for (const [name, schema] of Object.entries(table)) {
    if (name in errors) continue;
    const value = params[name];
    if (value === undefined) {
      if (!schema.optional) errors[name] = "property is missing and it is not optional";
      continue;
    }
    const problem = checkValue(name, value, schema);
    if (problem) errors[name] = problem;
    else if (schema.requires && params[schema.requires] === undefined)
      errors[schema.requires] = `missing property required by '${name}'`;
  }
  if (Object.keys(errors).length > 0) throw parameterError(errors);
  return params;
}

/** The items of a parameter of the type `array`. */
export function listParameter(text: string | undefined): string[] {
  return text === undefined ? [] : (JSON.parse(text) as unknown[]).map(String);
}

/** The problem of one value, in PVE's words; undefined if it is valid. */
export function checkValue(path: string, value: string, schema: Schema): string | undefined {
  const typeCheck = { string: /^/, boolean: /^[01]$/, integer: /^[+-]?\d+$/, number: numberPattern, array: /^\[/ }[
    schema.type
  ];
  if (!typeCheck.test(value)) return `type check ('${schema.type}') failed - got '${value}'`;
  if (schema.format) {
    try {
      if (typeof schema.format === "string") checkNamedFormat(schema.format, value);
      else parsePropertyString(value, schema.format, path);
    } catch (error) {
      return `invalid format - ${formatProblem(error)}\n`;
    }
  }
  if (schema.pattern && !schema.pattern.test(value)) return "value does not match the regex pattern";
  if (schema.maxLength !== undefined && value.length > schema.maxLength)
    return `value may only be ${schema.maxLength} characters long`;
  if (schema.minLength !== undefined && value.length < schema.minLength)
    return `value must be at least ${schema.minLength} characters long`;
  if (numberPattern.test(value)) {
    if (schema.maximum !== undefined && Number(value) > schema.maximum)
      return `value must have a maximum value of ${schema.maximum}`;
    if (schema.minimum !== undefined && Number(value) < schema.minimum)
      return `value must have a minimum value of ${schema.minimum}`;
  }
  if (schema.enum && !schema.enum.includes(value))
    return `value '${value}' does not have a value in the enumeration '${schema.enum.join(", ")}'`;
  return undefined;
}

const numberPattern = /^[+-]?(\d+\.\d+|\d+\.|\.\d+|\d+)([eE][+-]?\d+)?$/;

function toText(value: unknown, schema: Schema): string | undefined {
  if (Array.isArray(value)) {
    const isList = schema.type === "string" && typeof schema.format === "string" && schema.format.endsWith("-list");
    return isList ? value.map(String).join(",") : undefined;
  }
  if (typeof value === "boolean") return value ? "1" : "0";
  return typeof value === "string" || typeof value === "number" ? String(value) : undefined;
}

function formatProblem(error: unknown): string {
  const details = error instanceof ApiError ? Object.entries(error.errors ?? {}) : [];
  return [messageOf(error), ...details.map(([path, problem]) => `${path}: ${problem}`)].join("\n");
}
