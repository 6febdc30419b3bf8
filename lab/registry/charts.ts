import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { parse } from "yaml";
import { run } from "../host/run";
import { reproducible } from "../k3s/images";
import { copyChart } from "./chartFiles";
import type { RegistryClient } from "./client";

/** A chart in a registry, in the form of the add-ons' config. */
export interface PushedChart {
  /** `oci://HOST:PORT/charts/NAME` */
  readonly source: string;
  readonly version: string;
  readonly digest: string;
}

/** The files of a folder that go into a folder of a chart. */
export interface ChartFolder {
  readonly from: string;
  readonly into: string;
}

/** A chart's Chart.yaml. */
export interface ChartMetadata {
  readonly name: string;
  readonly version: string;
  /** Version of the program in it. */
  readonly appVersion?: string;
}

/**
 * Pushes a chart as Helm does (https://helm.sh/docs/topics/registries/): its Chart.yaml as the config, its archive as the one
 * layer. The same files give the same digest.
 *
 * @param chart a folder, which is packed as `helm package` does it; or an archive
 * @param folders added to the chart's own files, if it is a folder
 */
export async function pushChart(
  client: RegistryClient,
  chart: string,
  folders: readonly ChartFolder[] = [],
): Promise<PushedChart> {
  const metadata = await readChart(chart);
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "lab-chart-"));
  try {
    const archive = isArchive(chart) ? chart : await packChart(chart, metadata.name, folders, folder);
    const config = {
      mediaType: "application/vnd.cncf.helm.config.v1+json",
      bytes: Buffer.from(JSON.stringify(metadata)),
    };
    const layer = { mediaType: "application/vnd.cncf.helm.chart.content.v1.tar+gzip", file: archive };
    const repository = `charts/${metadata.name}`;
    const digest = await client.push(repository, tagOf(metadata.version), config, [layer]);
    return { source: `oci://${client.authority}/${repository}`, version: metadata.version, digest };
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

/** Whether this is an archive that `helm pull` or `helm package` has made. */
export const isArchive = (chart: string): boolean => chart.endsWith(".tgz");

/** The Chart.yaml of a folder or an archive. */
export async function readChart(chart: string): Promise<ChartMetadata> {
  const text = isArchive(chart)
    ? // One level down: its subcharts have theirs in folders below.
      await run("tar", ["-xOf", chart, "--wildcards", "--no-wildcards-match-slash", "*/Chart.yaml"])
    : fs.readFileSync(path.join(chart, "Chart.yaml"), "utf8");
  return parse(text) as ChartMetadata;
}

async function packChart(
  chart: string,
  name: string,
  folders: readonly ChartFolder[],
  scratch: string,
): Promise<string> {
  copyChart(chart, path.join(scratch, name));
  for (const { from, into } of folders) copyFiles(from, path.join(scratch, name, into));
  const archive = path.join(scratch, "chart.tgz");
  // Without -n, gzip writes the time.
  await run("tar", [...reproducible, "--use-compress-program=gzip -n", "-cf", archive, "-C", scratch, name]);
  return archive;
}

/** A tag has no plus sign; Helm writes and reads an underscore for it. */
const tagOf = (version: string): string => version.replaceAll("+", "_");

/** Copies only contents, not modes: the files of a Go module are read-only. */
function copyFiles(from: string, to: string): void {
  fs.mkdirSync(to, { recursive: true });
  for (const file of fs.readdirSync(from))
    fs.writeFileSync(path.join(to, file), fs.readFileSync(path.join(from, file)));
}
