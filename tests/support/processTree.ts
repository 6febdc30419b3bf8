import * as fs from "node:fs";

/**
 * Ends a process and all that it has started, at once and without a word (SIGKILL): the process first, so that it sees
 * nothing of the others' end.
 */
export function killTree(pid: number): void {
  const all = [pid, ...descendants(pid)];
  for (const each of all) {
    try {
      process.kill(each, "SIGKILL");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "ESRCH") throw error; // ended by itself
    }
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
