import * as fs from "node:fs";
import * as path from "node:path";
import { testImageFile } from "../k3s/versions";
import { Lab, labNetwork, labPaths } from "../lab";
import { RegistryClient } from "./client";
import { pushImageArchive } from "./images";

/** A client of the lab's registry, which takes pushes from anybody in the lab's network. */
export function registryOf(lab: Pick<Lab, "name" | "subnet">): RegistryClient {
  return new RegistryClient(labNetwork(lab.subnet).registry, fs.readFileSync(labPaths(lab.name).ca, "utf8"));
}

/** Pushes what add-ons of the lab are made of: the lab's test image. */
export async function fillRegistry(lab: Lab): Promise<void> {
  await pushImageArchive(registryOf(lab), path.join(lab.k3s.dir, lab.k3s.version, testImageFile));
}
