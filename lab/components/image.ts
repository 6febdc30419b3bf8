import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { type Image, writeImageFolder } from "../k3s/images";
import { suite, unpackDebianPackages } from "../k3s/debianPackages";
import type { RegistryClient } from "../registry/client";
import { pushImageFolder } from "../registry/images";
import { cached, type Log } from "../support/cache";
import { ensureComponent } from "./build";
import { type ComponentImage, type ComponentName, components } from "./table";

/**
 * Pushes the images of components under their vendors' names. Builds those that the cache lacks. Leaves out components
 * without an image.
 *
 * @returns each image's name and the digest of its manifest
 */
export async function pushComponents(
  client: RegistryClient,
  names: readonly ComponentName[],
  log: Log,
): Promise<ReadonlyMap<string, string>> {
  const pushed = new Map<string, string>();
  for (const name of names) {
    const { image } = components[name];
    if (image) for (const [of, digest] of await pushComponent(client, name, image, log)) pushed.set(of, digest);
  }
  return pushed;
}

/** Pushes one component under another name and tag than its own: a vendor's chart may ask for a version that the lab lacks. */
export async function pushComponentAs(
  client: RegistryClient,
  name: ComponentName,
  as: string,
  log: Log,
): Promise<void> {
  const { image } = components[name];
  if (!image) throw new Error(`${name} has no image`);
  log(`${as} is the lab's ${image.name}`);
  await pushComponent(client, name, { ...image, name: as }, log);
}

async function pushComponent(
  client: RegistryClient,
  name: ComponentName,
  image: ComponentImage,
  log: Log,
): Promise<ReadonlyMap<string, string>> {
  const program = await ensureComponent(name, log);
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "lab-component-"));
  try {
    const rootfs = path.join(folder, "rootfs");
    await writeRootfs(rootfs, image, program, log);
    await writeImageFolder(path.join(folder, "image"), [imageOf(image, rootfs)]);
    const pushed = await pushImageFolder(client, path.join(folder, "image"));
    for (const of of pushed.keys()) log(`pushed ${of}`);
    return pushed;
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

const imageOf = ({ name, program, user }: ComponentImage, rootfs: string): Image => ({
  ...{ name, rootfs, entrypoint: [program] },
  ...(user !== undefined && { user }),
});

/** Writes an image's files: Debian's, a few that programs look for, and the program. */
async function writeRootfs(rootfs: string, image: ComponentImage, program: string, log: Log): Promise<void> {
  const { packages = [], links = {}, open = [] } = image;
  fs.cpSync(await ensurePackages(["ca-certificates", ...packages], log), rootfs, {
    recursive: true,
    verbatimSymlinks: true,
  });
  const write = (file: string, text: string): void => {
    fs.mkdirSync(path.dirname(path.join(rootfs, file)), { recursive: true });
    fs.writeFileSync(path.join(rootfs, file), text);
  };
  write("etc/passwd", "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n");
  write("etc/group", "root:x:0:\nnogroup:x:65534:\n");
  write("etc/ssl/certs/ca-certificates.crt", certificatesIn(path.join(rootfs, "usr/share/ca-certificates")));
  for (const [file, target] of Object.entries(links)) fs.symlinkSync(target, path.join(rootfs, file));
  for (const folder of ["tmp", ...open]) {
    fs.mkdirSync(path.join(rootfs, folder), { recursive: true });
    // Not by mkdir, to whose mode the umask applies: containers that are not root write there.
    fs.chmodSync(path.join(rootfs, folder), 0o1777);
  }
  const place = path.join(rootfs, image.program);
  fs.mkdirSync(path.dirname(place), { recursive: true });
  fs.copyFileSync(program, place);
  fs.chmodSync(place, 0o755);
}

/** All certificates of Debian's package `ca-certificates` as one file, as its install script writes it. */
function certificatesIn(folder: string): string {
  const files = fs.readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".crt"));
  return files
    .sort()
    .map((name) => fs.readFileSync(path.join(folder, name), "utf8").trimEnd() + "\n")
    .join("");
}

/** Debian packages, unpacked in the cache. */
function ensurePackages(names: readonly string[], log: Log): Promise<string> {
  const unpack = async (dir: string): Promise<void> => {
    const scratch = fs.mkdtempSync(path.join(os.tmpdir(), "component-packages-"));
    try {
      await unpackDebianPackages(names, dir, scratch);
      // Nobody reads these in a container.
      for (const folder of ["doc", "man", "locale"])
        fs.rmSync(path.join(dir, "usr/share", folder), { recursive: true, force: true });
    } finally {
      fs.rmSync(scratch, { recursive: true, force: true });
    }
  };
  return cached("component-packages", [suite, ...names], unpack, log);
}
