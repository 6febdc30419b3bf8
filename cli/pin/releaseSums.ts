import fs from "node:fs/promises";
import { parsePins, type Pins } from "../../plan/pins";
import { ARCHITECTURES, binaryName, imagesName, type Architecture, type ReleasePins } from "../../plan/sums";

/** Records the published sums of a K3s release: `<baseUrl>/<version>/sha256sum-<arch>.txt`, in sha256sum's format. */

const TIMEOUT_MS = 30_000;

/** The sums of the files that the program installs. @throws Error if the list has no sum for the binary */
export function parseSumList(list: string, arch: Architecture): { k3s: string; images?: string } {
  const sums = new Map<string, string>();
  for (const line of list.split("\n")) {
    const match = /^([0-9a-f]{64}) [ *](?:\S*\/)?(\S+)$/.exec(line.trimEnd());
    if (match?.[1] && match[2]) sums.set(match[2], match[1]);
  }
  const binary = binaryName(arch);
  const k3s = sums.get(binary);
  if (k3s === undefined) throw new Error(`the list has no SHA-256 for ${binary}`);
  const images = sums.get(imagesName(arch));
  return { k3s, ...(images === undefined ? {} : { images }) };
}

/** Reads the lists of a release. It leaves out an architecture that the release does not have. @throws Error if the release has none */
export async function fetchReleasePins(baseUrl: string, version: string): Promise<ReleasePins> {
  const lists = await Promise.all(
    ARCHITECTURES.map(async (arch) => [arch, await fetchList(`${baseUrl}/${version}/sha256sum-${arch}.txt`)] as const),
  );
  const found = lists.flatMap(([arch, list]) =>
    list === undefined ? [] : [[arch, parseSumList(list, arch)] as const],
  );
  if (found.length === 0) throw new Error(`there is no release ${version} at ${baseUrl}`);
  return Object.fromEntries(found);
}

async function fetchList(url: string): Promise<string | undefined> {
  const response = await fetch(url, { signal: AbortSignal.timeout(TIMEOUT_MS) }).catch((error: Error) => {
    const cause = error.cause as Error | undefined; // fetch itself says only "fetch failed"
    throw new Error(`${url} cannot be read: ${cause?.message ?? error.message}`);
  });
  if (response.status === 404) return undefined;
  if (!response.ok) throw new Error(`${url} cannot be read: HTTP ${response.status} ${response.statusText}`);
  return response.text();
}

/**
 * The pins, with those of one release added.
 * @throws Error if a recorded sum would change: published files never change, so something is wrong
 */
export function withRelease(pins: Pins, version: string, release: ReleasePins): Pins {
  for (const arch of ARCHITECTURES) {
    for (const file of ["k3s", "images"] as const) {
      const [recorded, published] = [pins[version]?.[arch]?.[file], release[arch]?.[file]];
      if (recorded !== undefined && published !== undefined && recorded !== published) {
        throw new Error(
          `the release's SHA-256 of ${file} ${version} (${arch}) is ${published}, but ${recorded} is recorded; ` +
            `published files do not change: find out which is right before you remove the recorded one`,
        );
      }
    }
  }
  const merged = Object.fromEntries(
    ARCHITECTURES.flatMap((arch) => {
      const files = { ...pins[version]?.[arch], ...release[arch] };
      return Object.keys(files).length === 0 ? [] : [[arch, files] as const];
    }),
  );
  const byVersion = Object.entries({ ...pins, [version]: merged }).sort(([a], [b]) =>
    a.localeCompare(b, "en", { numeric: true }),
  );
  return Object.fromEntries(byVersion);
}

/** Records a release in a pins file and returns its sums. The file is replaced as a whole or not at all. */
export async function recordRelease(file: string, baseUrl: string, version: string): Promise<ReleasePins> {
  const pins = parsePins(JSON.parse(await fs.readFile(file, "utf8")));
  const release = await fetchReleasePins(baseUrl, version);
  const text = `${JSON.stringify(parsePins(withRelease(pins, version, release)), null, 2)}\n`;
  await fs.writeFile(`${file}.new`, text);
  await fs.rename(`${file}.new`, file);
  return release;
}
