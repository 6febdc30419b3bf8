import * as fs from "node:fs";
import * as path from "node:path";
import { pushComponentAs, pushComponents } from "../components/image";
import { componentNames } from "../components/table";
import { testImageFile } from "../k3s/versions";
import { Lab, labNetwork, labPaths } from "../lab";
import type { Log } from "../support/cache";
import { crdFoldersOf } from "./chartCrds";
import { type PushedChart, pushChart, readChart } from "./charts";
import { RegistryClient } from "./client";
import { pushImageArchive } from "./images";
import { findVendorChart, vendorCharts, vendorImages } from "./vendorCharts";

/** A client of the lab's registry, which accepts pushes from anybody in the lab's network. */
export function registryOf(lab: Pick<Lab, "name" | "subnet">): RegistryClient {
  return new RegistryClient(labNetwork(lab.subnet).registry, fs.readFileSync(labPaths(lab.name).ca, "utf8"));
}

/** Our own small charts under the vendors' names. */
export const chartDoubles = path.join(__dirname, "../charts/doubles");

/**
 * Pushes what the lab's add-ons need: the lab's test image, the components that users have, and the doubles of charts. With
 * `ADDONS_CHARTS` also the vendors' charts in that folder, each instead of the double of its name, and the images that they ask
 * for. Returns the charts by name.
 */
export async function fillRegistry(lab: Lab, log: Log): Promise<ReadonlyMap<string, PushedChart>> {
  const registry = registryOf(lab);
  await pushImageArchive(registry, path.join(lab.k3s.dir, lab.k3s.version, testImageFile));
  await pushComponents(registry, componentNames, log);
  for (const [image, component] of vendorImages()) await pushComponentAs(registry, component, image, log);
  const pushed = new Map<string, PushedChart>();
  for (const name of await chartNames()) pushed.set(name, await pushChartDouble(registry, name, log));
  return pushed;
}

/** Names of the doubles, and of the vendors' charts that the person has. */
async function chartNames(): Promise<ReadonlySet<string>> {
  const doubles = fs.readdirSync(chartDoubles, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const others = await Promise.all(vendorCharts().map(readChart));
  return new Set([...doubles, ...others].map(({ name }) => name));
}

/** Pushes the double of a chart, with the CRDs of the vendor's chart; or the vendor's chart, if `ADDONS_CHARTS` has it. */
export async function pushChartDouble(registry: RegistryClient, name: string, log: Log): Promise<PushedChart> {
  const vendors = await findVendorChart(name);
  if (vendors === undefined) return pushChart(registry, path.join(chartDoubles, name), await crdFoldersOf(name, log));
  log(`${name} is the vendor's chart, ${vendors}`);
  return pushChart(registry, vendors);
}
