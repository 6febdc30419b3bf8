import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { suite, unpackDebianPackages } from "../k3s/debianPackages";
import { cached, Log } from "./cache";

/**
 * Returns the path of a program from a Debian package, which is unpacked into the cache and not installed on the machine.
 *
 * @throws Error if the mirror does not answer, or the package or the program is missing.
 */
export async function ensureDebianTool(packageName: string, program: string, log: Log): Promise<string> {
  const fill = async (dir: string): Promise<void> => {
    const scratch = fs.mkdtempSync(path.join(os.tmpdir(), "debian-tool-"));
    try {
      const unpacked = path.join(scratch, "unpacked");
      await unpackDebianPackages([packageName], unpacked, path.join(scratch, "apt"));
      fs.copyFileSync(path.join(unpacked, "usr/bin", program), path.join(dir, program));
    } finally {
      fs.rmSync(scratch, { recursive: true, force: true });
    }
  };
  return path.join(await cached(program, [suite], fill, log), program);
}
