import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { z } from "zod";

/**
 * The folder of a file backend in which Pulumi keeps its own files.
 * @param url the backend's URL, as `pulumi whoami` prints it
 * @returns undefined if it is another kind of backend, or if the folder is missing
 */
export function fileBackend(url: string): string | undefined {
  if (!url.startsWith("file://")) return undefined;
  const folder = url
    .slice("file://".length)
    .replace(/\?.*$/, "")
    .replace(/^~(?=\/|$)/, os.homedir());
  const root = path.join(folder, ".pulumi");
  return fs.existsSync(root) ? root : undefined;
}

const word = z.string().regex(/^[ -~]{1,200}$/);
const lock = z.object({ pid: z.int(), username: word, hostname: word, timestamp: z.iso.datetime({ offset: true }) });

/** A run of Pulumi that holds a stack, or that was killed before it released the stack. */
export type StackLock = z.infer<typeof lock>;

/**
 * The locks of a stack in a file backend: Pulumi keeps one file for each. The CLI has no command that shows them.
 * @param root the result of {@link fileBackend}
 */
export function locksOf(root: string, project: string, stack: string): StackLock[] {
  const folder = path.join(root, "locks/organization", project, stack);
  if (!fs.existsSync(folder)) return [];
  return fs.readdirSync(folder).flatMap((file) => read(path.join(folder, file)) ?? []);
}

function read(file: string): StackLock | undefined {
  try {
    return lock.parse(JSON.parse(fs.readFileSync(file, "utf8")));
  } catch {
    return undefined; // that run has just ended, or its file is not written yet
  }
}
