import * as fs from "node:fs";
import * as path from "node:path";
import { run } from "../host/run";

/**
 * A new, empty folder at `target`, far away on the disk from what was removed there before.
 *
 * An ext4 without a journal (as micro virtual machines have) does not use an inode again for a minute to six after its
 * removal, and looks at each of those at every creation (`recently_deleted` in fs/ext4/ialloc.c): a container made after
 * another was removed cost six times its CPU time. Below a folder with the attribute `T`, ext4 chooses a new folder's place
 * by its name, so each is made under a name of its own and then moved. Other file systems know no such attribute and have
 * no need of it.
 */
export async function newDiskFolder(target: string, scattered: string): Promise<void> {
  await run("chattr", ["+T", scattered]).catch(() => undefined);
  const folder = fs.mkdtempSync(path.join(scattered, "disk-"));
  fs.chmodSync(folder, 0o755);
  fs.mkdirSync(path.dirname(target), { recursive: true });
  fs.renameSync(folder, target);
}
