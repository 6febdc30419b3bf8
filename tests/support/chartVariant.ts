import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

import { run } from "../../lab/host/run";
import { isArchive, type PushedChart, pushChart } from "../../lab/registry/charts";
import type { RegistryClient } from "../../lab/registry/client";
import { chartDoubles } from "../../lab/registry/fill";
import { findVendorChart } from "../../lab/registry/vendorCharts";

/**
 * Copies the lab's chart with this name, adds templates and pushes the copy.
 * @param word added to the version
 * @param templates by file name
 */
export async function pushVariant(
  registry: RegistryClient,
  name: string,
  word: string,
  templates: Readonly<Record<string, string>>,
): Promise<PushedChart> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "chart-variant-"));
  try {
    const chart = (await findVendorChart(name)) ?? path.join(chartDoubles, name);
    if (isArchive(chart)) await run("tar", ["-xf", chart, "-C", folder, "--strip-components=1"]);
    else fs.cpSync(chart, folder, { recursive: true });
    const metadata = path.join(folder, "Chart.yaml");
    const text = fs.readFileSync(metadata, "utf8");
    const renamed = text.replace(/^version: (\S+)$/m, `version: $1-${word}`);
    if (renamed === text) throw new Error(`the Chart.yaml of ${name} has no line with the version`);
    fs.writeFileSync(metadata, renamed);
    for (const [file, content] of Object.entries(templates))
      fs.writeFileSync(path.join(folder, "templates", file), content);
    return await pushChart(registry, folder);
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
}
