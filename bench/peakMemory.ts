import * as fs from "node:fs";
import { descendants } from "../tests/support/processTree";

/** The most memory (MiB) that each of these used at once. */
export interface PeakMemory {
  engine: number;
  program: number;
}

/** Measures the Pulumi processes that this process starts during the work. */
export async function peakMemory(work: () => Promise<unknown>): Promise<PeakMemory> {
  const peak: PeakMemory = { engine: 0, program: 0 };
  const look = setInterval(() => {
    for (const pid of descendants(process.pid)) {
      const [command = "", ...args] = read(`/proc/${pid}/cmdline`).split("\0");
      const part = /(^|\/)pulumi$/.test(command) ? "engine" : args.some(isRunner) ? "program" : undefined;
      if (part) peak[part] = Math.max(peak[part], highWater(read(`/proc/${pid}/status`)));
    }
  }, 100);
  await work().finally(() => clearInterval(look));
  return peak;
}

const isRunner = (argument: string): boolean => /@pulumi\/pulumi\/cmd\/run(\/index\.js)?$/.test(argument);

const highWater = (status: string): number => Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1] ?? 0) / 1024;

/** Empty for a process that has just ended. */
function read(file: string): string {
  try {
    return fs.readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
