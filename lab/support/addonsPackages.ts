import * as fs from "node:fs";
import * as path from "node:path";

/**
 * True if the packages of `addons/` are missing, or older than their lock file: `npm ci` in the repository's root does not install
 * them. The program of the cluster does not need them.
 * @param folder that has package-lock.json
 */
export function lacksPackages(folder: string): boolean {
  // npm writes it last.
  const installed = fs.statSync(path.join(folder, "node_modules/.package-lock.json"), { throwIfNoEntry: false });
  return installed === undefined || installed.mtimeMs < fs.statSync(path.join(folder, "package-lock.json")).mtimeMs;
}
