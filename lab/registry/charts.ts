import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { parse } from "yaml";
import { run } from "../host/run";
import { reproducible } from "../k3s/images";
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

/**
 * Packs a chart's folder and pushes it as Helm does (https://helm.sh/docs/topics/registries/): its Chart.yaml as the config,
 * its archive as the one layer. The same files give the same digest.
 *
 * @param folders what goes into it beside its own files
 */
export async function pushChart(
  client: RegistryClient,
  chart: string,
  folders: readonly ChartFolder[] = [],
): Promise<PushedChart> {
  const metadata = parse(fs.readFileSync(path.join(chart, "Chart.yaml"), "utf8")) as { name: string; version: string };
  const { name, version } = metadata;
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "lab-chart-"));
  try {
    fs.cpSync(chart, path.join(folder, name), { recursive: true });
    for (const { from, into } of folders) copyFiles(from, path.join(folder, name, into));
    const archive = path.join(folder, "chart.tgz");
    // Without -n gzip writes the time.
    await run("tar", [...reproducible, "--use-compress-program=gzip -n", "-cf", archive, "-C", folder, name]);
    const config = {
      mediaType: "application/vnd.cncf.helm.config.v1+json",
      bytes: Buffer.from(JSON.stringify(metadata)),
    };
    const layer = { mediaType: "application/vnd.cncf.helm.chart.content.v1.tar+gzip", file: archive };
    const repository = `charts/${name}`;
    const digest = await client.push(repository, tagOf(version), config, [layer]);
    return { source: `oci://${client.authority}/${repository}`, version, digest };
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

/** A tag has no plus sign; Helm writes and reads an underscore for it. */
const tagOf = (version: string): string => version.replaceAll("+", "_");

/** Copies contents alone: those of a Go module cannot be written to. */
function copyFiles(from: string, to: string): void {
  fs.mkdirSync(to, { recursive: true });
  for (const file of fs.readdirSync(from))
    fs.writeFileSync(path.join(to, file), fs.readFileSync(path.join(from, file)));
}
