import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

/**
 * Sets a cache for what Node.js compiles (`NODE_COMPILE_CACHE`) while `run` runs. An engine suite starts some hundreds of
 * Node.js processes, and each would compile the same packages: that is a quarter of the time of a preview.
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
