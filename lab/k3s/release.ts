import * as fs from "node:fs";
import * as path from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { ReadableStream } from "node:stream/web";
import { Log } from "../support/cache";
import { sha256 } from "./images";
import { k3sVersion, releaseFiles } from "./versions";

const probeMs = 4_000;
/** Where the K3s project publishes its releases. */
const RELEASES = "https://github.com/k3s-io/k3s/releases/download";
const releaseUrl = (releases: string): string => `${releases}/${encodeURIComponent(k3sVersion)}`;

/** Whether the server of K3s' releases answers within a few seconds. */
export function releaseAnswers(releases = RELEASES): Promise<boolean> {
  return fetch(`${releaseUrl(releases)}/${releaseFiles.sums}`, { signal: AbortSignal.timeout(probeMs) }).then(
    async (response) => response.ok && (await response.text()).includes(releaseFiles.binary),
    () => false,
  );
}

/**
 * Downloads a release's files into a folder and checks each against the release's list of checksums.
 *
 * @throws Error if a download fails or a checksum differs.
 */
export async function downloadRelease(dir: string, log: Log, releases = RELEASES): Promise<void> {
  for (const file of [releaseFiles.sums, releaseFiles.images, releaseFiles.binary]) {
    log(`downloading ${file} of K3s ${k3sVersion}`);
    const url = `${releaseUrl(releases)}/${file}`;
    const response = await fetch(url);
    if (!response.ok || !response.body) throw new Error(`${url} answered ${response.status}`);
    await pipeline(Readable.fromWeb(response.body as ReadableStream), fs.createWriteStream(path.join(dir, file)));
  }
  const sums = readSums(path.join(dir, releaseFiles.sums));
  for (const file of [releaseFiles.images, releaseFiles.binary]) {
    const found = sha256(path.join(dir, file));
    if (sums.get(file) !== found)
      throw new Error(`${file} of K3s ${k3sVersion} has the SHA-256 ${found}, not ${sums.get(file)}`);
  }
  fs.chmodSync(path.join(dir, releaseFiles.binary), 0o755);
}

/** Reads a release's `sha256sum-*.txt`: file name to checksum. */
export function readSums(file: string): Map<string, string> {
  const lines = fs.readFileSync(file, "utf8").split("\n");
  return new Map(
    lines.flatMap((line) => {
      const match = /^([0-9a-f]{64}) [ *](.+)$/.exec(line.trim());
      return match ? [[match[2]!, match[1]!] as const] : [];
    }),
  );
}

/** Writes such a list for the binary and the images of a folder. */
export function writeSums(dir: string): void {
  const files = [releaseFiles.binary, releaseFiles.images];
  const text = files.map((file) => `${sha256(path.join(dir, file))}  ${file}\n`).join("");
  fs.writeFileSync(path.join(dir, releaseFiles.sums), text);
}
