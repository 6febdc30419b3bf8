import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { unpackDebianPackages } from "../k3s/debianPackages";
import { cached, Log } from "../support/cache";

/** Returns the path of Debian's `docker-registry`, which is unpacked into the cache and not installed on the machine. */
export async function ensureRegistry(log: Log): Promise<string> {
  const fill = async (dir: string): Promise<void> => {
    const scratch = fs.mkdtempSync(path.join(os.tmpdir(), "lab-registry-"));
    try {
      await unpackDebianPackages(["docker-registry"], dir, scratch);
    } finally {
      fs.rmSync(scratch, { recursive: true, force: true });
    }
  };
  return path.join(await cached("docker-registry", ["1"], fill, log), "usr/bin/docker-registry");
}
