import * as fs from "node:fs";
import * as path from "node:path";

/** The keys of a chart's values or of a custom resource with their types, from the vendor's file (`npm run chart-facts`). */
export interface ChartFacts {
  readonly name: string;
  readonly version: string;
  readonly keys: Readonly<Record<string, readonly string[]>>;
}

export const readFacts = (name: string): ChartFacts =>
  JSON.parse(fs.readFileSync(path.join(__dirname, `../fixtures/charts/${name}.json`), "utf8")) as ChartFacts;

/** The keys of kube-prometheus-stack and of the charts in it, because these have keys that it does not list. */
export function readMonitoringFacts(): ChartFacts {
  const chart = readFacts("kube-prometheus-stack");
  const below = (at: string) =>
    Object.fromEntries(Object.entries(readFacts(at).keys).map(([key, types]) => [`${at}.${key}`, types]));
  return { ...chart, keys: { ...below("grafana"), ...below("prometheus-node-exporter"), ...chart.keys } };
}

/**
 * Values that kube-prometheus-stack copies unchanged into objects of other kinds: labels of nodes, a claim, names of alerts,
 * Grafana's own config.
 */
export const monitoringFree: readonly string[] = [
  ...["prometheus.prometheusSpec.nodeSelector", "prometheus.prometheusSpec.storageSpec"],
  ...["defaultRules.disabled", "grafana.grafana.ini"],
];

/**
 * The values whose key a chart does not have, or has with another type. A chart's schema is not enough: most of its maps accept
 * any key, and the chart ignores unknown keys.
 * @param free paths whose content the chart passes on as it is
 */
export function wrongValues({ keys }: ChartFacts, values: unknown, free: readonly string[], at = ""): string[] {
  if (free.includes(at)) return [];
  const types = keys[at];
  if (at !== "" && types === undefined) return [`${at}: it has no such key`];
  const found = typeOf(values);
  const isOf = (type: string) =>
    // The type "number" also accepts a whole number.
    type === found || type === `=${String(values)}` || (type === "number" && found === "integer");
  // The vendor's file gives no type if the default is null.
  const fits = types?.length === 0 || types?.some(isOf);
  if (types && !fits) return [`${at}: ${found} instead of ${types.join(" or ")}`];
  if (Array.isArray(values)) {
    const entries = `${at}[]` in keys ? (values as unknown[]) : [];
    return entries.flatMap((entry) => wrongValues({ keys } as ChartFacts, entry, free, `${at}[]`));
  }
  if (found !== "object") return [];
  return Object.entries(values as object).flatMap(([key, value]) => {
    const named = at === "" ? key : `${at}.${key}`;
    const path = named in keys || free.includes(named) ? named : `${at}.*` in keys ? `${at}.*` : named;
    return wrongValues({ keys } as ChartFacts, value, free, path);
  });
}

function typeOf(value: unknown): string {
  if (Array.isArray(value)) return "array";
  if (value === null) return "null";
  return Number.isInteger(value) ? "integer" : typeof value;
}
