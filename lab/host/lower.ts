import * as fs from "node:fs";
import { removeCgroup } from "../containers/cgroups";
import { removeAddonsStackConfig } from "../addonsStack";
import { findLab, isAlive, labCgroup, labPaths, labRoot, ProcessId, stackOf } from "../lab";
import { removeStackConfig } from "../stack";
import { releaseSubnet } from "./network";
import { restoreSysctls } from "./sysctls";

const deadlineMs = 30_000;

/**
 * Ends a lab and removes every trace of it: processes, containers, namespaces, links, cgroups, files. May be run twice, and
 * for a lab that never started.
 */
export async function lower(name: string): Promise<void> {
  await halt(name);
  const { state } = labPaths(name);
  assertUnmounted(state);
  fs.rmSync(state, { recursive: true, force: true, maxRetries: 3 });
  removeStackConfig(stackOf(name));
  removeAddonsStackConfig(stackOf(name));
  leaveRoot();
}

/**
 * Ends a lab as a power cut does: its host and guests with all their processes. The state folder stays, so that `up` can
 * start the lab again.
 */
export async function halt(name: string): Promise<void> {
  const lab = findLab(name);
  // The kernel ends all processes of a PID namespace with its first, and the namespaces with their last process.
  if (lab?.init && isAlive(lab.init)) await end(lab.init);
  if (lab) await releaseSubnet(name, lab.subnet);
  await eventually(() => removeCgroup(labCgroup(name)));
}

async function end(init: ProcessId): Promise<void> {
  process.kill(init.pid, "SIGKILL");
  await eventually(() => {
    if (isAlive(init)) throw new Error(`process ${init.pid} of the lab does not end`);
  });
}

/** The kernel needs a moment to release what killed processes used. */
async function eventually(attempt: () => void): Promise<void> {
  for (const deadline = Date.now() + deadlineMs; ;) {
    try {
      return attempt();
    } catch (error) {
      if (Date.now() > deadline) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

/** The lab mounts only in its own namespace. With a mount in this one, removing the state folder would empty the project's. */
function assertUnmounted(state: string): void {
  const mounted = fs
    .readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .map((line) => line.split(" ")[4]);
  const found = mounted.find((point) => point?.startsWith(`${state}/`));
  if (found) throw new Error(`${found} is mounted: unmount it, then run down again`);
}

/** Restores the machine after the last lab. */
function leaveRoot(): void {
  const root = labRoot();
  if (!fs.existsSync(root)) return;
  if (fs.readdirSync(root, { withFileTypes: true }).some((entry) => entry.isDirectory())) return;
  restoreSysctls(root);
  if (fs.readdirSync(root).length === 0) fs.rmdirSync(root);
}
