import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { run } from "../host/run";
import type { RegistryClient } from "./client";

/** An image's entry in the manifest of an archive. */
interface ArchivedImage {
  readonly Config: string;
  readonly RepoTags: readonly string[];
  readonly Layers: readonly string[];
}

/**
 * Pushes every image of an archive in the form of `docker save`, under its own name without the registry: the lab's registry
 * replaces all others.
 *
 * @returns each image's name and the digest of its manifest
 */
export async function pushImageArchive(client: RegistryClient, archive: string): Promise<ReadonlyMap<string, string>> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "lab-push-"));
  try {
    await run("tar", ["-xf", archive, "-C", folder]);
    return await pushImageFolder(client, folder);
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

/** The same for an unpacked archive. */
export async function pushImageFolder(client: RegistryClient, folder: string): Promise<ReadonlyMap<string, string>> {
  const file = (name: string) => ({ file: path.join(folder, name) });
  const images = JSON.parse(fs.readFileSync(file("manifest.json").file, "utf8")) as ArchivedImage[];
  const digests = new Map<string, string>();
  for (const { Config, RepoTags, Layers } of images)
    for (const name of RepoTags) {
      const { repository, tag } = placeOf(name);
      const config = { mediaType: "application/vnd.oci.image.config.v1+json", ...file(Config) };
      const layers = Layers.map((layer) => ({ mediaType: "application/vnd.oci.image.layer.v1.tar", ...file(layer) }));
      digests.set(name, await client.push(repository, tag, config, layers));
    }
  return digests;
}

/**
 * The name of an image in a registry that mirrors all others: `docker.io/library/busybox:1` is `library/busybox`, tag `1`.
 * It parses names as containerd does.
 */
export function placeOf(name: string): { readonly repository: string; readonly tag: string } {
  const [first = "", ...others] = name.split("/");
  const isRegistry = others.length > 0 && (/[.:]/.test(first) || first === "localhost");
  const image = (isRegistry ? others : [first, ...others]).join("/");
  const tag = /:([^/:]+)$/.exec(image)?.[1] ?? "latest";
  const repository = image.replace(/:[^/:]+$/, "");
  // On Docker Hub, images without a slash are below library/.
  const isOfHub = !isRegistry || first === "docker.io";
  return { repository: isOfHub && !repository.includes("/") ? `library/${repository}` : repository, tag };
}
