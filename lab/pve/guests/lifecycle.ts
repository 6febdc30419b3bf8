import { failure, messageOf, parameterError } from "../errors";
import type { TaskLog } from "../driver";
import { guestConfig, type GuestConfigFile } from "../guestConfig";
import type { PveNode } from "../node";
import { formatSize, parseSize } from "../schema/sizes";
import { checkModify } from "./guestPermissions";
import { assertUnlocked, assertUnprotected } from "./guestStore";
import { applyPending } from "./update";
import { parseVolume, printVolume, storageOf, volumeBytes } from "./volumes";

/** What `lxc-stop` waits for when it is given no time. */
const defaultShutdownSeconds = 60;

/** A `vzstart` task. @throws ApiError 500 when the guest runs already. */
export async function startTask(node: PveNode, user: string, vmid: number, skipLock = false): Promise<string> {
  if (await isRunning(node, vmid)) throw failure(`CT ${vmid} already running`);
  return node.tasks.start("vzstart", String(vmid), user, (log) =>
    node.guests.withLock(vmid, async () => {
      const { file } = node.guests.load(vmid);
      if (file.options.get("template") === "1") throw failure("you can't start a CT if it's a template");
      if (!skipLock && file.options.get("lock") !== "mounted") assertUnlocked(file);
      await start(node, vmid, log);
    }),
  );
}

/** A `vzstop` task: ends the guest at once. */
export async function stopTask(node: PveNode, user: string, vmid: number, skipLock = false): Promise<string> {
  await assertRunning(node, vmid);
  return node.tasks.start("vzstop", String(vmid), user, (log) =>
    node.guests.withLock(vmid, async () => {
      const { file } = node.guests.load(vmid);
      if (!skipLock && file.options.get("lock") !== "mounted") assertUnlocked(file);
      await node.driver.stop(vmid, log);
    }),
  );
}

/** A `vzshutdown` task: asks the guest to power off, and ends it after `timeoutSeconds` when `force` is set. */
export async function shutdownTask(
  node: PveNode,
  user: string,
  vmid: number,
  { timeoutSeconds = defaultShutdownSeconds, force = false },
): Promise<string> {
  await assertRunning(node, vmid);
  return node.tasks.start("vzshutdown", String(vmid), user, (log) =>
    node.guests.withLock(vmid, async () => {
      assertUnlocked(node.guests.load(vmid).file);
      await shutdown(node, vmid, timeoutSeconds, force, log);
    }),
  );
}

/** A `vzreboot` task: shuts the guest down, by force when it takes too long, and starts it with what was pending. */
export async function rebootTask(node: PveNode, user: string, vmid: number, timeoutSeconds?: number): Promise<string> {
  if (!(await isRunning(node, vmid))) throw failure(`VM ${vmid} not running`);
  return node.tasks.start("vzreboot", String(vmid), user, (log) =>
    node.guests.withLock(vmid, async () => {
      if (!(await isRunning(node, vmid))) return;
      await shutdown(node, vmid, timeoutSeconds ?? defaultShutdownSeconds, true, log);
      await start(node, vmid, log);
    }),
  );
}

/** A `vzdestroy` task. @throws ApiError 500 when the guest runs, is locked or protected. */
export async function destroyTask(node: PveNode, user: string, vmid: number, force: boolean): Promise<string> {
  const assertRemovable = ({ file }: { file: GuestConfigFile }) => {
    assertUnprotected(file, `can't remove CT ${vmid}`);
    assertUnlocked(file);
  };
  const runningError = `unable to destroy CT ${vmid} - container is running`;
  assertRemovable(node.guests.load(vmid));
  if (!force && (await isRunning(node, vmid))) throw failure(runningError);
  return node.tasks.start("vzdestroy", String(vmid), user, (log) =>
    node.guests.withLock(vmid, async () => {
      assertRemovable(node.guests.load(vmid));
      if (await isRunning(node, vmid)) {
        if (!force) throw failure(runningError);
        log(`forced to stop CT ${vmid} before destroying!`);
        await node.driver.stop(vmid, log);
      }
      await node.driver.destroy(vmid, log);
      // Keeps the VMID taken until nothing refers to it any more.
      node.guests.write(vmid, guestConfig([["lock", "destroyed"]]));
      node.access.forgetGuest(vmid);
      node.guests.remove(vmid);
    }),
  );
}

export interface Resize {
  disk: string;
  /** `16G`, or `+2G` to grow by. */
  size: string;
  digest?: string;
}

/** A `resize` task. @throws ApiError 500 when the disk would shrink or stay as it is. */
export function resizeTask(node: PveNode, user: string, vmid: number, { disk, size, digest }: Resize): string {
  const check = () => {
    const stored = node.guests.load(vmid);
    assertUnlocked(stored.file);
    checkModify(
      {
        permissions: node.access.permissions(),
        storages: node.storages,
        user,
        vmid,
        current: stored.file,
        unprivileged: stored.file.options.get("unprivileged") === "1",
      },
      { disk },
    );
    assertUnchanged(digest, stored.digest);
    const text = stored.file.options.get(disk);
    if (text === undefined) throw failure(`no such disk '${disk}'`);
    const volume = parseVolume(disk, text);
    node.access.permissions().check(user, `/storage/${storageOf(volume.volume)}`, ["Datastore.AllocateSpace"]);
    const bytes = volumeBytes(volume);
    const wanted = parseSize(size.replace(/^\+/, "")) ?? 0;
    const newBytes = size.startsWith("+") ? bytes + wanted : wanted;
    if (newBytes < bytes) throw failure("unable to shrink disk size");
    if (newBytes === bytes) throw failure("disk is already at specified size");
    return printVolume(disk, { ...volume.properties, size: formatSize(newBytes) });
  };
  check();
  return node.tasks.start("resize", String(vmid), user, (log) =>
    node.guests.withLock(vmid, async () => {
      const value = check();
      const draft = node.guests.edit(vmid);
      draft.options.set(disk, value);
      await node.driver.resize(vmid, draft, log);
      node.guests.write(vmid, draft);
    }),
  );
}

/** @throws ApiError 500 when somebody changed the file since the caller read it. */
export function assertUnchanged(expected: string | undefined, actual: string): void {
  if (expected && expected !== actual)
    throw failure("detected modified configuration - file changed by other user? Try again.");
}

export async function isRunning(node: PveNode, vmid: number): Promise<boolean> {
  return (await node.driver.status(vmid)).running;
}

async function assertRunning(node: PveNode, vmid: number): Promise<void> {
  if (!(await isRunning(node, vmid))) throw failure(`CT ${vmid} not running`);
}

/** Applies what is pending and starts. A guest that came up meanwhile, by another task, is left as it is. */
async function start(node: PveNode, vmid: number, log: TaskLog): Promise<void> {
  if (await isRunning(node, vmid)) return;
  const draft = node.guests.edit(vmid);
  if (draft.pending.options.size > 0 || draft.pending.deletions.length > 0) {
    const errors = applyPending(draft, { vmid, storages: node.storages });
    if (Object.keys(errors).length > 0) throw parameterError(errors);
    node.guests.write(vmid, draft);
  }
  await node.driver.start(vmid, draft, log);
}

async function shutdown(node: PveNode, vmid: number, seconds: number, force: boolean, log: TaskLog): Promise<void> {
  const stopped = await node.driver.shutdown(vmid, seconds, log).catch((error: unknown) => {
    log(messageOf(error));
    return false;
  });
  if (stopped) return;
  if (!force) throw failure("container did not stop");
  await node.driver.stop(vmid, log);
}
