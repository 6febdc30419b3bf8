import * as fs from "node:fs";
import * as path from "node:path";
import { pushComponents } from "../components/image";
import { componentNames } from "../components/table";
import { testImageFile } from "../k3s/versions";
import { Lab, labNetwork, labPaths } from "../lab";
import type { Log } from "../support/cache";
import { crdFoldersOf } from "./chartCrds";
import { type PushedChart, pushChart } from "./charts";
import { RegistryClient } from "./client";
import { pushImageArchive } from "./images";

/** A client of the lab's registry, which takes pushes from anybody in the lab's network. */
export function registryOf(lab: Pick<Lab, "name" | "subnet">): RegistryClient {
  return new RegistryClient(labNetwork(lab.subnet).registry, fs.readFileSync(labPaths(lab.name).ca, "utf8"));
}

/** Small charts of ours under the vendors' names. */
export const chartDoubles = path.join(__dirname, "../charts/doubles");

/**
 * Pushes what add-ons of the lab are made of: the lab's test image, the components that users have, and the doubles of charts.
 * Returns the charts by name.
 */
export async function fillRegistry(lab: Lab, log: Log): Promise<ReadonlyMap<string, PushedChart>> {
  const registry = registryOf(lab);
  await pushImageArchive(registry, path.join(lab.k3s.dir, lab.k3s.version, testImageFile));
  await pushComponents(registry, componentNames, log);
  const folders = fs.readdirSync(chartDoubles, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const pushed = new Map<string, PushedChart>();
  for (const { name } of folders) pushed.set(name, await pushChartDouble(registry, name, log));
  return pushed;
}

/** Pushes one double, with the CRDs that its vendor's chart has. */
export async function pushChartDouble(registry: RegistryClient, name: string, log: Log): Promise<PushedChart> {
  return pushChart(registry, path.join(chartDoubles, name), await crdFoldersOf(name, log));
}
