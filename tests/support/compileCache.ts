import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

/**
 * Lets every Node.js that a run starts keep what it has compiled (`NODE_COMPILE_CACHE`): an engine level starts some
 * hundreds of them, and a quarter of what a preview costs is the compilation of the same packages.
 */
export async function withCompileCache<T>(run: () => Promise<T>): Promise<T> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "compile-cache-"));
  process.env["NODE_COMPILE_CACHE"] = folder;
  try {
    return await run();
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
}
