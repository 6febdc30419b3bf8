import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { run } from "../host/run";
import { cached, Log } from "../support/cache";
import { sha256 } from "./images";
import { writeLabImages } from "./labImages";
import { downloadRelease, readSums, releaseAnswers, writeSums } from "./release";
import { buildStandIn, standInSources } from "./standIn";
import { k3sVersion, pauseImage, releaseFiles, testImage, testImageFile } from "./versions";

/** The K3s that a lab installs. */
export interface K3sArtifacts {
  /** Folder with `<version>/k3s`, `<version>/k3s-airgap-images-amd64.tar` and `<version>/sha256sum-amd64.txt`, as a release has them. */
  readonly dir: string;
  /** For example `v1.36.3+k3s1`. */
  readonly version: string;
  /** The vendor's release, a binary given by path, or the stand-in over upstream Kubernetes. */
  readonly kind: "release" | "path" | "stand-in";
  /** SHA-256 of the binary in hex. */
  readonly sha256: string;
  /** SHA-256 of the archive of images in hex. */
  readonly imagesSha256: string;
  /** Archive with only the test image; the archive of images has it too, unless it is the vendor's. */
  readonly testImageArchive: string;
}

/** Which K3s to take. */
export interface K3sChoice {
  /** Any K3s binary. Its archive of images is the file with the release's name in the same folder, if there is one. */
  readonly path?: string;
}

/**
 * Makes the artifact folder: of the binary given by path, else of the vendor's release if it answers within a few
 * seconds, else of the stand-in. Built once and kept in the cache.
 *
 * @throws Error if the binary does not print its version, or a download or build fails.
 */
export async function ensureK3s(choice: K3sChoice, log: Log): Promise<K3sArtifacts> {
  if (process.arch !== "x64") throw new Error(`The lab's K3s is for amd64; this machine is ${process.arch}`);
  if (choice.path) return ofBinary(path.resolve(choice.path), log);
  const release = await ofRelease(log);
  return release ?? ofStandIn(log);
}

async function ofBinary(binary: string, log: Log): Promise<K3sArtifacts> {
  const said = await run(binary, ["--version"]);
  const version = /^k3s version (\S+)/.exec(said)?.[1];
  if (!version) throw new Error(`${binary} --version says "${said.split("\n")[0]}", not a K3s version`);
  const images = path.join(path.dirname(binary), releaseFiles.images);
  const own = fs.existsSync(images) ? [sha256(images)] : [];
  const dir = await make("k3s-path", [sha256(binary), ...own], version, log, async (folder, scratch) => {
    fs.copyFileSync(binary, path.join(folder, releaseFiles.binary));
    fs.chmodSync(path.join(folder, releaseFiles.binary), 0o755);
    await labImages(folder, scratch, log);
    if (own.length > 0) fs.copyFileSync(images, path.join(folder, releaseFiles.images));
    writeSums(folder);
  });
  return describe(dir, version, "path");
}

async function ofRelease(log: Log): Promise<K3sArtifacts | undefined> {
  const key = ["release", k3sVersion];
  if (!(await releaseAnswers())) return undefined;
  const dir = await make("k3s-release", key, k3sVersion, log, async (folder, scratch) => {
    await downloadRelease(folder, log);
    await labImages(folder, scratch, log, path.join(scratch, releaseFiles.images));
  });
  return describe(dir, k3sVersion, "release");
}

async function ofStandIn(log: Log): Promise<K3sArtifacts> {
  const dir = await make(
    "k3s-stand-in",
    [k3sVersion, ...standInSources()],
    k3sVersion,
    log,
    async (folder, scratch) => {
      await buildStandIn(path.join(folder, releaseFiles.binary), scratch, log);
      await labImages(folder, scratch, log);
      writeSums(folder);
    },
  );
  return describe(dir, k3sVersion, "stand-in");
}

/** A cache entry whose content is made in `<entry>/<version>`, with a scratch folder that is removed afterwards. */
function make(
  name: string,
  key: readonly string[],
  version: string,
  log: Log,
  build: (folder: string, scratch: string) => Promise<void>,
): Promise<string> {
  const recipes = ["images.ts", "labImages.ts", "standIn.ts", "debianPackages.ts"].map((file) =>
    fs.readFileSync(path.join(__dirname, file), "utf8"),
  );
  return cached(
    name,
    [...key, pauseImage, testImage, ...recipes],
    async (entry) => {
      const folder = path.join(entry, version);
      fs.mkdirSync(folder);
      const scratch = fs.mkdtempSync(path.join(os.tmpdir(), "lab-k3s-"));
      try {
        await build(folder, scratch);
      } finally {
        fs.rmSync(scratch, { recursive: true, force: true });
      }
    },
    log,
  );
}

function labImages(
  folder: string,
  scratch: string,
  log: Log,
  all = path.join(folder, releaseFiles.images),
): Promise<void> {
  return writeLabImages({ all, test: path.join(folder, testImageFile) }, scratch, log);
}

function describe(dir: string, version: string, kind: K3sArtifacts["kind"]): K3sArtifacts {
  const sums = readSums(path.join(dir, version, releaseFiles.sums));
  const sum = (file: string) => {
    const found = sums.get(file);
    if (!found) throw new Error(`${releaseFiles.sums} of K3s ${version} does not name ${file}`);
    return found;
  };
  return {
    dir,
    version,
    kind,
    sha256: sum(releaseFiles.binary),
    imagesSha256: sum(releaseFiles.images),
    testImageArchive: path.join(dir, version, testImageFile),
  };
}

if (require.main === module) {
  const at = process.argv.indexOf("--k3s");
  const choice = at > 0 ? { path: process.argv[at + 1] } : {};
  ensureK3s(choice as K3sChoice, (line) => console.error(line)).then(
    (artifacts) => console.log(JSON.stringify(artifacts, null, 2)),
    (error: unknown) => {
      console.error(error instanceof Error ? error.message : error);
      process.exitCode = 1;
    },
  );
}
