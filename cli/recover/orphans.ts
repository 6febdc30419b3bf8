import * as fs from "node:fs";
import * as path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

import { advice } from "../../remote/advice";

/** Selects the Pulumi runs to look for. */
export interface Project {
  readonly folder: string;
  /** Environment of the user's shell: one folder may be used with several backends. */
  readonly env: NodeJS.ProcessEnv;
}

interface PulumiProcess {
  readonly pid: number;
  /** `pulumi`, or `pulumi-resource-…`. */
  readonly program: string;
}

/** Variables that tell apart the runs of different people, or tests, in one folder. */
const BACKEND = ["PULUMI_HOME", "PULUMI_BACKEND_URL"];

/**
 * Waits for plugins that still run after their engine has ended, because such a plugin may still create a guest. It sees
 * the processes of this machine only, and none if there is no `/proc`.
 * @throws Error if an engine runs, or if a plugin does not end within `seconds`
 */
export async function awaitPlugins(project: Project, seconds: number): Promise<void> {
  for (const began = Date.now(); ; await sleep(200)) {
    const running = pulumiProcesses(project);
    if (running.length === 0) return;
    const list = running.map(({ pid, program }) => `${program} (process ${pid})`).join(", ");
    if (running.some(({ program }) => program === "pulumi"))
      throw new Error(advice(`pulumi is running in this project: ${list}`, "wait until it ends, then run this again"));
    if (Date.now() - began > seconds * 1000)
      throw new Error(
        advice(`plugins of an interrupted run are still running: ${list}`, "kill these processes, then run this again"),
      );
  }
}

function pulumiProcesses(project: Project): PulumiProcess[] {
  if (!fs.existsSync("/proc/self/exe")) return [];
  return fs.readdirSync("/proc").flatMap((name) => (/^\d+$/.test(name) ? (inspect(Number(name), project) ?? []) : []));
}

function inspect(pid: number, { folder, env }: Project): PulumiProcess | undefined {
  try {
    const program = path.basename(fs.readlinkSync(`/proc/${pid}/exe`));
    if (program !== "pulumi" && !program.startsWith("pulumi-resource-")) return undefined;
    if (path.relative(folder, fs.readlinkSync(`/proc/${pid}/cwd`)).startsWith("..")) return undefined;
    const its = new Map(fs.readFileSync(`/proc/${pid}/environ`, "utf8").split("\0").map(variable));
    return BACKEND.every((name) => its.get(name) === env[name]) ? { pid, program } : undefined;
  } catch {
    return undefined; // it has just ended, or it belongs to another user
  }
}

function variable(pair: string): [name: string, value: string] {
  const end = pair.indexOf("=");
  return [pair.slice(0, end), pair.slice(end + 1)];
}
