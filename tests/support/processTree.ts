import * as fs from "node:fs";

/**
 * Kills a process and all that it has started (SIGKILL). The process itself comes first, so that it cannot react to the end of
 * the others.
 * @param spared part of the command line of processes that live on
 * @returns the processes that live on
 */
export function killTree(pid: number, spared?: string): number[] {
  const all = [pid, ...descendants(pid)];
  const living = all.filter((each) => spared !== undefined && commandOf(each).includes(spared));
  for (const each of all) if (!living.includes(each)) kill(each);
  return living;
}

/** Kills one process; no error if it has ended already. */
export function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** The command line of a process; empty if it has ended. */
function commandOf(pid: number): string {
  try {
    return fs.readFileSync(`/proc/${pid}/cmdline`, "utf8");
  } catch {
    return "";
  }
}

/** Children, their children and so on. */
export function descendants(pid: number): number[] {
  const parents = new Map<number, number>();
  for (const name of fs.readdirSync("/proc")) {
    const parent = /^\d+$/.test(name) ? parentOf(name) : undefined;
    if (parent !== undefined) parents.set(Number(name), parent);
  }
  const below = (parent: number): number[] =>
    [...parents].flatMap(([child, of]) => (of === parent ? [child, ...below(child)] : []));
  return below(pid);
}

/** Undefined if the process has just ended. */
function parentOf(pid: string): number | undefined {
  try {
    // The name in brackets may hold anything; the state and the parent follow it.
    return Number(/^\S+ \([^]*\) \S (\d+)/.exec(fs.readFileSync(`/proc/${pid}/stat`, "utf8"))?.[1]);
  } catch {
    return undefined;
  }
}
