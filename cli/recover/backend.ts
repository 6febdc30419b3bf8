import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

/**
 * Removes the empty side files that a kill left in a backend of files. Beside each of its files it writes another with
 * attributes, in place and in two steps. A kill in between leaves that empty, and the stack cannot be read any more
 * (`failed to load checkpoint: EOF`), though its state is whole. A missing one is not missed.
 * @param url the backend's, as `pulumi whoami` tells it; one that is not of files is left alone
 * @returns what was removed
 */
export function mendFileBackend(url: string): string[] {
  if (!url.startsWith("file://")) return [];
  const folder = url
    .slice("file://".length)
    .replace(/\?.*$/, "")
    .replace(/^~(?=\/|$)/, os.homedir());
  const root = path.join(folder, ".pulumi");
  if (!fs.existsSync(root)) return [];
  const files = fs.readdirSync(root, { recursive: true, withFileTypes: true });
  const empty = files
    .filter((entry) => entry.isFile() && entry.name.endsWith(".attrs"))
    .map((entry) => path.join(entry.parentPath, entry.name))
    .filter((file) => fs.statSync(file).size === 0);
  for (const file of empty) fs.rmSync(file);
  return empty;
}
