import * as fs from "node:fs";
import * as path from "node:path";
import Ajv, { type ValidateFunction } from "ajv";

/** The kinds of Longhorn that the scripts and their doubles use, by resource: `nodes.longhorn.io`. */
interface Source {
  readonly kinds: Readonly<
    Record<string, { readonly kind: string; readonly version: string; readonly schema: object }>
  >;
}

const source = JSON.parse(fs.readFileSync(path.join(__dirname, "../fixtures/longhornSchemas.json"), "utf8")) as Source;
const ajv = new Ajv({ strict: false, validateFormats: false, allErrors: true });
const checks = new Map<string, ValidateFunction>();

/** @returns every rule of Longhorn's CustomResourceDefinition that an object breaks; an unknown field counts, too */
export function longhornProblems(resource: string, object: object): string[] {
  const known = source.kinds[resource];
  if (!known) return [`${resource} is no kind of Longhorn that is known here`];
  const check = checks.get(resource) ?? ajv.compile(closed(known.schema) as object);
  checks.set(resource, check);
  const { apiVersion, kind } = object as { apiVersion?: string; kind?: string };
  const named = apiVersion === `longhorn.io/${known.version}` && kind === known.kind;
  return [
    ...(named ? [] : [`${resource}: apiVersion and kind are ${apiVersion} ${kind}`]),
    ...(check(object) ? [] : check.errors!.map(({ instancePath, message }) => `${resource}${instancePath} ${message}`)),
  ];
}

/** An unknown field must be an error here: the API server would drop it. */
function closed(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(closed);
  if (typeof schema !== "object" || schema === null) return schema;
  const inside = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, closed(value)]));
  return "properties" in inside && !("additionalProperties" in inside) && inside["type"] === "object"
    ? { ...inside, additionalProperties: false }
    : inside;
}

/**
 * CustomResourceDefinitions of these kinds, for a real API server. Their schemas are the vendor's (the fixture names the version);
 * the rest is what an API server requires.
 */
export function longhornCrds(): object[] {
  return Object.entries(source.kinds).map(([resource, { kind, version, schema }]) => {
    const plural = resource.split(".")[0]!;
    const served = {
      name: version,
      served: true,
      storage: true,
      schema: { openAPIV3Schema: { ...schema, type: "object" } },
    };
    return {
      ...{ apiVersion: "apiextensions.k8s.io/v1", kind: "CustomResourceDefinition", metadata: { name: resource } },
      spec: {
        ...{ group: "longhorn.io", scope: "Namespaced", versions: [{ ...served, subresources: { status: {} } }] },
        names: { kind, plural, singular: kind.toLowerCase(), listKind: `${kind}List` },
      },
    };
  });
}
