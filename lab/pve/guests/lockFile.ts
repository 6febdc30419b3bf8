import { type ChildProcess, spawn } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";
import { failure } from "../errors";

/**
 * Locks a guest's lock file, as PVE's workers do (`PVE::AbstractConfig::lock_config`), so that other programs on the host
 * see that a task works on the guest. The lock also ends with this process.
 * @returns a function that releases it
 * @throws ApiError 500 if somebody else holds it for longer than `waitMs`
 */
export async function holdLockFile(file: string, waitMs: number): Promise<() => void> {
  fs.mkdirSync(path.dirname(file), { recursive: true });
  const wait = (waitMs / 1000).toFixed(3);
  // Node has no call for it. The child holds the file until its standard input ends.
  const holder = ["--wait", wait, file, "sh", "-c", "echo held; exec cat >/dev/null"];
  const child = spawn("flock", holder, { stdio: ["pipe", "pipe", "inherit"] });
  await held(child, file);
  return () => child.stdin?.end();
}

function held(child: ChildProcess, file: string): Promise<void> {
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("exit", () => reject(failure(`can't lock file '${file}' - got timeout`)));
    child.stdout!.once("data", () => resolve());
  });
}
