import * as fs from "node:fs";
import * as path from "node:path";
import { parse } from "yaml";
import { type ComponentName, componentNames } from "../components/table";
import { isArchive, readChart } from "./charts";

/** The variable that names the folder with vendors' charts, which replace the doubles. */
const VARIABLE = "ADDONS_CHARTS";
/** The file in that folder with names of images that these charts ask for, each with the lab's component to use. */
const IMAGES = "images.yaml";

/**
 * The vendor's chart of a name, if the person has it: a folder with a Chart.yaml, or an archive that `helm pull` or
 * `helm package` has made, in the folder that `ADDONS_CHARTS` names.
 *
 * @returns its path; undefined if there is none
 * @throws Error if the folder does not exist, or has several charts of that name
 */
export async function findVendorChart(name: string): Promise<string | undefined> {
  const found: string[] = [];
  for (const chart of vendorCharts()) if ((await readChart(chart)).name === name) found.push(chart);
  if (found.length > 1) throw new Error(`${VARIABLE} has several charts of the name ${name}: ${found.join(", ")}`);
  return found[0];
}

/** Paths of all charts that `ADDONS_CHARTS` has. */
export function vendorCharts(): string[] {
  const folder = vendorFolder();
  if (folder === undefined) return [];
  return fs
    .readdirSync(folder)
    .sort()
    .map((entry) => path.join(folder, entry))
    .filter((file) => isArchive(file) || fs.existsSync(path.join(file, "Chart.yaml")));
}

/**
 * Images that the vendors' charts ask for, and the lab's component for each.
 *
 * @throws Error for a component that the lab does not have
 */
export function vendorImages(): ReadonlyMap<string, ComponentName> {
  const folder = vendorFolder();
  const file = path.join(folder ?? "", IMAGES);
  if (folder === undefined || !fs.existsSync(file)) return new Map();
  const images = Object.entries(parse(fs.readFileSync(file, "utf8")) as Record<string, string>);
  return new Map(
    images.map(([image, component]) => {
      const known = componentNames.find((name) => name === component);
      if (!known) throw new Error(`${file} names ${component}; the lab has ${componentNames.join(", ")}`);
      return [image, known];
    }),
  );
}

function vendorFolder(): string | undefined {
  const folder = process.env[VARIABLE];
  if (!folder) return undefined;
  if (!fs.statSync(folder, { throwIfNoEntry: false })?.isDirectory())
    throw new Error(`${VARIABLE} names ${folder}, which is no folder`);
  return folder;
}
