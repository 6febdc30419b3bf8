import * as fs from "node:fs";

/**
 * Ends a process and all that it has started, at once and without a word (SIGKILL): the process first, so that it sees
 * nothing of the others' end.
 * @param spared part of the command line of those that live on
 * @returns those that live on
 */
export function killTree(pid: number, spared?: string): number[] {
  const all = [pid, ...descendants(pid)];
  const living = all.filter((each) => spared !== undefined && commandOf(each).includes(spared));
  for (const each of all) if (!living.includes(each)) kill(each);
  return living;
}

/** Ends one process; one that has ended already is fine. */
export function kill(pid: number): void {
  try {
    process.kill(pid, "SIGKILL");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error;
  }
}

/** Its command line; empty for one that has ended. */
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

/** Undefined for a process that has just ended. */
function parentOf(pid: string): number | undefined {
  try {
    // The name in brackets may hold anything; the state and the parent follow it.
    return Number(/^\S+ \([^]*\) \S (\d+)/.exec(fs.readFileSync(`/proc/${pid}/stat`, "utf8"))?.[1]);
  } catch {
    return undefined;
  }
}
