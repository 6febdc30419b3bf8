import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

/** Receives one line of progress for a person. */
export type Log = (line: string) => void;

/** Folder of large build results: `$PROXMOX_K3S_CACHE`, else `$XDG_CACHE_HOME/proxmox-k3s`, else `~/.cache/proxmox-k3s`. */
export function cacheDir(): string {
  const base = process.env["XDG_CACHE_HOME"] || path.join(os.homedir(), ".cache");
  return process.env["PROXMOX_K3S_CACHE"] || path.join(base, "proxmox-k3s");
}

/** A short, stable key of everything a build depends on. Pass the content of files, not paths, so that copies share an entry. */
export function cacheKey(parts: readonly string[]): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part).update("\0");
  return hash.digest("hex").slice(0, 16);
}

/** The names and contents of a folder's files, in order, for a cache key. */
export function contentOf(folder: string, only?: readonly string[]): string[] {
  const names = fs.readdirSync(folder, { recursive: true, encoding: "utf8" }).sort();
  return names
    .filter((name) => !only || only.includes(name))
    .filter((name) => fs.statSync(path.join(folder, name)).isFile())
    .flatMap((name) => [name, fs.readFileSync(path.join(folder, name), "utf8")]);
}

/**
 * Returns `<cache>/<name>-<key>`, building it first if it is missing.
 *
 * `build` fills a folder that is moved into place only if `build` succeeds, so an interrupted build leaves no incomplete
 * entry. If two processes want the same entry, the second waits for the first.
 */
export async function cached(
  name: string,
  keyParts: readonly string[],
  build: (dir: string) => Promise<void>,
  log: Log = () => {},
): Promise<string> {
  const entry = path.join(cacheDir(), `${name}-${cacheKey(keyParts)}`);
  if (fs.existsSync(entry)) return entry;
  fs.mkdirSync(cacheDir(), { recursive: true });
  const unlock = await lock(`${entry}.lock`, () => log(`waiting for another process that builds ${name}`));
  try {
    if (fs.existsSync(entry)) return entry;
    const dir = `${entry}.building`;
    fs.rmSync(dir, { recursive: true, force: true });
    fs.mkdirSync(dir, { recursive: true });
    const started = Date.now();
    log(`building ${name}`);
    await build(dir);
    fs.renameSync(dir, entry);
    log(`built ${name} in ${Math.round((Date.now() - started) / 1000)} s`);
    return entry;
  } finally {
    unlock();
  }
}

/** A lock file with its holder's process number; if that process has ended, the lock is free. */
async function lock(file: string, onWait: () => void): Promise<() => void> {
  for (let waited = false; ; waited = true) {
    try {
      fs.writeFileSync(file, String(process.pid), { flag: "wx" });
      return () => fs.rmSync(file, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
    if (holderIsGone(file)) fs.rmSync(file, { force: true });
    else {
      if (!waited) onWait();
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }
}

function holderIsGone(file: string): boolean {
  try {
    const pid = Number(fs.readFileSync(file, "utf8"));
    if (!pid) return false; // just created, not written yet
    process.kill(pid, 0);
    return false;
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    return code === "ESRCH";
  }
}
