import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { run } from "../host/run";

/** An image of one layer. */
export interface Image {
  /** Name with registry and tag. */
  readonly name: string;
  /** Folder that becomes the layer. */
  readonly rootfs: string;
  readonly entrypoint: readonly string[];
  /** Number of the user that it runs as; root by default. */
  readonly user?: string;
}

/** Equal content gives equal archives, whenever and wherever they are made. */
export const reproducible = "--sort=name --mtime=@0 --owner=0 --group=0 --numeric-owner --format=ustar".split(" ");

/**
 * Writes images as one archive in the form of `docker save`, which containerd imports; without Docker and without a
 * registry.
 *
 * `scratch` is a folder for what goes into the archive.
 */
export async function writeImageArchive(file: string, images: readonly Image[], scratch: string): Promise<void> {
  await writeImageFolder(scratch, images);
  await run("tar", [...reproducible, "-cf", file, "-C", scratch, ...fs.readdirSync(scratch).sort()]);
}

/** Writes the content of such an archive into a folder, and makes the folder. */
export async function writeImageFolder(folder: string, images: readonly Image[]): Promise<void> {
  fs.mkdirSync(folder, { recursive: true });
  const manifest = [];
  for (const image of images) manifest.push(await stage(image, folder));
  fs.writeFileSync(path.join(folder, "manifest.json"), JSON.stringify(manifest));
}

/** Puts an image's layer and configuration into the folder and returns its entry of the manifest. */
async function stage(image: Image, scratch: string): Promise<object> {
  const part = path.join(scratch, "layer.part");
  await run("tar", [...reproducible, "-cf", part, "-C", image.rootfs, "."]);
  const digest = sha256(part);
  const layer = `${digest}.tar`;
  fs.renameSync(part, path.join(scratch, layer));
  const config = JSON.stringify({
    architecture: "amd64",
    os: "linux",
    config: {
      Entrypoint: image.entrypoint,
      Env: ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"],
      ...(image.user !== undefined && { User: image.user }),
    },
    rootfs: { type: "layers", diff_ids: [`sha256:${digest}`] },
    history: [{ created_by: "proxmox-k3s lab" }],
  });
  const configFile = `${createHash("sha256").update(config).digest("hex")}.json`;
  fs.writeFileSync(path.join(scratch, configFile), config);
  return { Config: configFile, RepoTags: [image.name], Layers: [layer] };
}

/** SHA-256 of a file in hex. Reads it in pieces: a K3s is large. */
export function sha256(file: string): string {
  const hash = createHash("sha256");
  const handle = fs.openSync(file, "r");
  const buffer = Buffer.alloc(1 << 20);
  try {
    for (let read; (read = fs.readSync(handle, buffer)) > 0;) hash.update(buffer.subarray(0, read));
  } finally {
    fs.closeSync(handle);
  }
  return hash.digest("hex");
}
