import * as fs from "node:fs";
import * as path from "node:path";
import { run } from "../host/run";

/**
 * Makes a new, empty folder at `target`, far away on the disk from what was removed there before.
 *
 * An ext4 without a journal (as micro virtual machines have) does not reuse an inode for one to six minutes after its
 * removal, but checks all of these at every creation (`recently_deleted` in fs/ext4/ialloc.c): creating a container after
 * another was removed took six times the CPU time. Below a folder with the attribute `T`, ext4 places a new folder by its
 * name, so each is made under a unique name and then moved. Other file systems do not have this attribute or need it.
 */
export async function newDiskFolder(target: string, scattered: string): Promise<void> {
  await run("chattr", ["+T", scattered]).catch(() => undefined);
  const folder = fs.mkdtempSync(path.join(scattered, "disk-"));
  fs.chmodSync(folder, 0o755);
  fs.mkdirSync(path.dirname(target), { recursive: true });
  fs.renameSync(folder, target);
}
