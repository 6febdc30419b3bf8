import { ApiError } from "../errors";
import { checkValue, type Schema } from "./schema";

/** Parts of a property string, `name=eth0,bridge=vmbr0`. */
export interface PropertyFormat {
  readonly properties: Readonly<Record<string, Schema>>;
  /** The part whose key may be left out. */
  readonly defaultKey?: string;
  /** Other names of parts. */
  readonly aliases?: Readonly<Record<string, string>>;
  /** Parts that are written as one, the value of the first being the key of the second: `virtio=BC:24:11:…`. */
  readonly joined?: { readonly key: string; readonly value: string };
}

/** Parts by key, as text; booleans are `0` or `1`. */
export type Properties = Record<string, string>;

/**
 * `PVE::JSONSchema::parse_property_string`.
 *
 * @param path prefix of the names in the error, usually the option.
 */
export function parsePropertyString(text: string, format: PropertyFormat, path = ""): Properties {
  const result: Properties = {};
  let sawDefault = false;
  for (const part of text.split(",")) {
    if (/^\s*$/.test(part)) continue;
    const [, key, value] = /^([^=]+)=(.+)$/s.exec(part) ?? [];
    if (key !== undefined && value !== undefined) {
      const { joined } = format;
      const isJoined = joined && format.properties[joined.key]?.enum?.includes(key);
      const name = isJoined ? joined.value : (format.aliases?.[key] ?? key);
      if (result[name] !== undefined) throw new Error(`duplicate key in comma-separated list property: ${key}`);
      const schema = format.properties[name];
      if (!schema) throw new Error(`invalid key in comma-separated list property: ${key}`);
      if (isJoined) result[joined.key] = key;
      result[name] = normalise(value, schema);
    } else if (!part.includes("=")) {
      const name = format.defaultKey;
      if (!name) throw new Error("value without key, but schema does not define a default key");
      if (sawDefault || result[name] !== undefined)
        throw new Error(`duplicate key in comma-separated list property: ${name}`);
      sawDefault = true;
      result[name] = normalise(part, format.properties[name]!);
    } else throw new Error("missing key in comma-separated list property");
  }
  checkProperties(result, format, path);
  return result;
}

/** `print_property_string`: default key first, then required keys, then the rest, each group by name. */
export function printPropertyString(data: Properties, format: PropertyFormat): string {
  const { joined } = format;
  const isJoined = joined !== undefined && data[joined.key] !== undefined && data[joined.value] !== undefined;
  const keys = Object.keys(data)
    .filter((key) => !(isJoined && key === joined.value))
    .sort();
  const isRequired = (key: string) => !format.properties[key]!.optional;
  const rest = keys.filter((key) => key !== format.defaultKey);
  const parts = [...rest.filter(isRequired), ...rest.filter((key) => !isRequired(key))].map(
    (key) => `${key}=${data[key]}`,
  );
  if (format.defaultKey && data[format.defaultKey] !== undefined) {
    const first = data[format.defaultKey]!;
    parts.unshift(isJoined ? `${first}=${data[joined.value]}` : first);
  }
  return parts.join(",");
}

function checkProperties(data: Properties, format: PropertyFormat, path: string): void {
  const errors: Record<string, string> = {};
  for (const [key, schema] of Object.entries(format.properties)) {
    const name = path ? `${path}.${key}` : key;
    const value = data[key];
    if (value === undefined) {
      if (!schema.optional) errors[name] = "property is missing and it is not optional";
    } else {
      const problem = checkValue(name, value, schema);
      if (problem) errors[name] = problem;
    }
  }
  if (Object.keys(errors).length > 0) throw new ApiError(500, "format error", errors);
}

function normalise(value: string, schema: Schema): string {
  if (schema.type !== "boolean") return value;
  if (/^(1|on|yes|true)$/i.test(value)) return "1";
  if (/^(0|off|no|false)$/i.test(value)) return "0";
  return value;
}
