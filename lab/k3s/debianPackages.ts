import * as fs from "node:fs";
import * as path from "node:path";
import { aptMirror } from "../containers/aptMirror";
import { run } from "../host/run";

/** The release of Debian that the guests run: programs that are unpacked here need its C library. */
export const suite = "bookworm";

/**
 * Unpacks Debian packages into one folder, without installing anything on the machine.
 *
 * They come from the machine's mirror. apt checks them as usual, with its own lists instead of the machine's.
 *
 * @throws Error if the mirror does not answer or a package is missing.
 */
export async function unpackDebianPackages(names: readonly string[], into: string, scratch: string): Promise<void> {
  const sources = path.join(scratch, "sources.list");
  const lists = path.join(scratch, "lists");
  const archives = path.join(scratch, "archives");
  for (const folder of [path.join(lists, "partial"), archives, into]) fs.mkdirSync(folder, { recursive: true });
  fs.writeFileSync(sources, `deb ${aptMirror()} ${suite} main\n`);
  const settings = [
    `Dir::Etc::SourceList=${sources}`,
    "Dir::Etc::SourceParts=-",
    `Dir::State::Lists=${lists}`,
    `Dir::Cache::pkgcache=`,
    `Dir::Cache::srcpkgcache=`,
    "Acquire::Languages=none",
    "APT::Sandbox::User=root",
    "APT::Architecture=amd64",
  ].flatMap((setting) => ["-o", setting]);
  await run("apt-get", ["-qq", ...settings, "update"]);
  await run("apt-get", ["-qq", ...settings, "download", ...names], { cwd: archives });
  for (const archive of fs.readdirSync(archives)) await run("dpkg-deb", ["-x", path.join(archives, archive), into]);
}
