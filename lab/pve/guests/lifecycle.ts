import { root } from "../access/permissions";
import { failure, messageOf, parameterError } from "../errors";
import type { TaskLog } from "../driver";
import { guestConfig, type GuestConfigFile } from "../guestConfig";
import type { GuestNode } from "../node";
import { assertUnprotected } from "./draft";

/** How long a shutdown waits by default. */
const defaultShutdownSeconds = 60;

/** A `vzstart` or `qmstart` task. @throws ApiError 500 if the container runs already. */
export async function startTask(node: GuestNode, user: string, vmid: number, skipLock = false): Promise<string> {
  const runningError = `${node.kind.label} ${vmid} already running`;
  if (node.kind.checksStateFirst && (await isRunning(node, vmid))) throw failure(runningError);
  return node.tasks.start(`${node.kind.task}start`, String(vmid), user, (log) =>
    node.guests.withLock(vmid, async () => {
      const { file } = node.guests.load(vmid);
      if (file.options.get("template") === "1") throw failure(node.kind.words.templateStart);
      if (!skipLock) assertStartable(node, file);
      if (await isRunning(node, vmid)) {
        // A container that another task has started meanwhile stays as it is.
        if (node.kind.checksStateFirst) return;
        throw failure(runningError);
      }
      await start(node, vmid, log);
    }),
  );
}

/** A `vzstop` or `qmstop` task: ends the guest at once. */
export async function stopTask(node: GuestNode, user: string, vmid: number, skipLock = false): Promise<string> {
  await assertRunning(node, vmid);
  return node.tasks.start(`${node.kind.task}stop`, String(vmid), user, (log) =>
    node.guests.withLock(vmid, async () => {
      if (!node.kind.checksStateFirst && !(await isRunning(node, vmid))) return;
      const { file } = node.guests.load(vmid);
      if (!skipLock) assertStartable(node, file);
      await node.driver.stop(vmid, log);
    }),
  );
}

/** A `vzshutdown` or `qmshutdown` task: asks the guest to power off, and with `force` ends it after `timeoutSeconds`. */
export async function shutdownTask(
  node: GuestNode,
  user: string,
  vmid: number,
  { timeoutSeconds, force = false }: { timeoutSeconds?: number; force?: boolean },
): Promise<string> {
  await assertRunning(node, vmid);
  return node.tasks.start(`${node.kind.task}shutdown`, String(vmid), user, (log) =>
    node.guests.withLock(vmid, async () => {
      if (!node.kind.checksStateFirst && !(await isRunning(node, vmid))) return;
      node.guests.assertUnlocked(node.guests.load(vmid).file);
      await shutdown(node, vmid, timeoutSeconds ?? shutdownSeconds(node, vmid), force, log);
    }),
  );
}

/** A `vzreboot` or `qmreboot` task: shuts the guest down and starts it with its pending changes. */
export async function rebootTask(
  node: GuestNode,
  user: string,
  vmid: number,
  timeoutSeconds?: number,
): Promise<string> {
  if (!(await isRunning(node, vmid))) throw failure(`VM ${vmid} not running`);
  const { task, rebootIsOneTask } = node.kind;
  return node.tasks.start(`${task}reboot`, String(vmid), user, async (log) => {
    const isDown = await node.guests.withLock(vmid, async () => {
      if (!(await isRunning(node, vmid))) return false;
      await shutdown(node, vmid, timeoutSeconds ?? shutdownSeconds(node, vmid), rebootIsOneTask, log);
      if (rebootIsOneTask) await start(node, vmid, log);
      return true;
    });
    if (isDown && !rebootIsOneTask) await startTask(node, root, vmid);
  });
}

/** A `vzdestroy` or `qmdestroy` task. @throws ApiError 500 if the guest runs or is protected, or a container is locked. */
export async function destroyTask(
  node: GuestNode,
  user: string,
  vmid: number,
  { force = false, skipLock = false, assertUnused = () => {} }: DestroyOptions = {},
): Promise<string> {
  const { label, words, checksStateFirst } = node.kind;
  const assertRemovable = ({ file }: { file: GuestConfigFile }, isEarly = false) => {
    assertUnprotected(file, `can't remove ${label} ${vmid}`);
    if (!skipLock && (checksStateFirst || !isEarly)) node.guests.assertUnlocked(file);
  };
  assertRemovable(node.guests.load(vmid), true);
  if (!force && (await isRunning(node, vmid))) throw failure(words.runningAtDestroy(vmid));
  return node.tasks.start(`${node.kind.task}destroy`, String(vmid), user, (log) =>
    node.guests.withLock(vmid, async () => {
      assertRemovable(node.guests.load(vmid));
      if (await isRunning(node, vmid)) {
        if (!force) throw failure(words.runningAtDestroy(vmid));
        log(`forced to stop ${label} ${vmid} before destroying!`);
        await node.driver.stop(vmid, log);
      }
      assertUnused();
      await node.driver.destroy(vmid, log);
      // Keeps the VMID taken until nothing refers to it any more.
      node.guests.write(vmid, guestConfig([["lock", "destroyed"]]));
      node.access.forgetGuest(vmid);
      node.guests.remove(vmid);
    }),
  );
}

export interface DestroyOptions {
  /** Ends a running guest. */
  readonly force?: boolean;
  readonly skipLock?: boolean;
  /** Throws if others need the guest's disks. */
  readonly assertUnused?: () => void;
}

/** @throws ApiError 500 if somebody changed the file since the caller read it. */
export function assertUnchanged(expected: string | undefined, actual: string): void {
  if (expected && expected !== actual)
    throw failure("detected modified configuration - file changed by other user? Try again.");
}

export async function isRunning(node: GuestNode, vmid: number): Promise<boolean> {
  return (await node.driver.status(vmid)).running;
}

async function assertRunning(node: GuestNode, vmid: number): Promise<void> {
  if (node.kind.checksStateFirst && !(await isRunning(node, vmid)))
    throw failure(`${node.kind.label} ${vmid} not running`);
}

/** A container may be started while it is mounted on the host. */
function assertStartable(node: GuestNode, file: GuestConfigFile): void {
  if (file.options.get("lock") !== "mounted") node.guests.assertUnlocked(file);
}

/** The time in a guest's `startup`; containers have the default. */
function shutdownSeconds({ kind, guests }: GuestNode, vmid: number): number {
  const down = /(?:^|,)down=(\d+)/.exec(guests.load(vmid).file.options.get("startup") ?? "")?.[1];
  return kind.type === "qemu" && down !== undefined ? Number(down) : defaultShutdownSeconds;
}

/** Applies pending changes and starts the guest. */
async function start(node: GuestNode, vmid: number, log: TaskLog): Promise<void> {
  const draft = node.guests.edit(vmid);
  if (draft.pending.options.size > 0 || draft.pending.deletions.length > 0) {
    const errors = node.kind.applyPending(draft, { vmid, storages: node.storages });
    if (Object.keys(errors).length > 0) throw parameterError(errors);
    node.guests.write(vmid, draft);
  }
  if (draft.cloudInit.size > 0) {
    // Each start writes the cloud-init drive again.
    draft.cloudInit.clear();
    node.guests.write(vmid, draft);
  }
  await node.driver.start(vmid, draft, log);
}

async function shutdown(node: GuestNode, vmid: number, seconds: number, force: boolean, log: TaskLog): Promise<void> {
  const stopped = await node.driver.shutdown(vmid, seconds, log).catch((error: unknown) => {
    log(messageOf(error));
    return false;
  });
  if (stopped) return;
  if (!force) throw failure(node.kind.words.notShutDown);
  await node.driver.stop(vmid, log);
}
