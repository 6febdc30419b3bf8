import * as fs from "node:fs";
import * as path from "node:path";
import { testImageFile } from "../k3s/versions";
import { Lab, labNetwork, labPaths } from "../lab";
import { type PushedChart, pushChart } from "./charts";
import { RegistryClient } from "./client";
import { pushImageArchive } from "./images";

/** A client of the lab's registry, which takes pushes from anybody in the lab's network. */
export function registryOf(lab: Pick<Lab, "name" | "subnet">): RegistryClient {
  return new RegistryClient(labNetwork(lab.subnet).registry, fs.readFileSync(labPaths(lab.name).ca, "utf8"));
}

/** Small charts of ours under the vendors' names. */
export const chartDoubles = path.join(__dirname, "../charts/doubles");

/** Pushes what add-ons of the lab are made of: the lab's test image and the doubles of charts. Returns the charts by name. */
export async function fillRegistry(lab: Lab): Promise<ReadonlyMap<string, PushedChart>> {
  const registry = registryOf(lab);
  await pushImageArchive(registry, path.join(lab.k3s.dir, lab.k3s.version, testImageFile));
  const folders = fs.readdirSync(chartDoubles, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  const pushed = new Map<string, PushedChart>();
  for (const { name } of folders) pushed.set(name, await pushChart(registry, path.join(chartDoubles, name)));
  return pushed;
}
