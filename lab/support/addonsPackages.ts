import * as fs from "node:fs";
import * as path from "node:path";
import { CommandError, run } from "../host/run";
import { addonsDir } from "../lab";
import type { Log } from "./cache";

/**
 * Installs the packages of `addons/` if they are missing, or older than their lock file: `npm ci` in the repository's root does
 * not install them, because the program of the cluster does not need them.
 *
 * @throws Error with npm's output
 */
export async function ensureAddonsPackages(log: Log): Promise<void> {
  if (!lacksPackages(addonsDir)) return;
  log("installing the packages of addons/");
  await run("npm", ["ci", "--no-progress"], { cwd: addonsDir }).catch((error: CommandError) => {
    throw new Error(`npm ci fails in addons/:\n${error.stdout}${error.stderr}`);
  });
}

function lacksPackages(folder: string): boolean {
  // npm writes it last.
  const installed = fs.statSync(path.join(folder, "node_modules/.package-lock.json"), { throwIfNoEntry: false });
  return installed === undefined || installed.mtimeMs < fs.statSync(path.join(folder, "package-lock.json")).mtimeMs;
}
