import * as os from "node:os";

/** Seconds of a piece of work, and the machine's load at its start (average over one minute). */
export interface Timing {
  readonly seconds: number;
  readonly load: number;
}

export async function time(work: () => Promise<unknown>): Promise<Timing> {
  const load = os.loadavg()[0]!;
  const began = process.hrtime.bigint();
  await work();
  return { seconds: Number(process.hrtime.bigint() - began) / 1e9, load };
}

/** The middle value of an odd number of values, or the mean of the two middle values of an even number. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

export function machine(): string {
  const model = os.cpus()[0]?.model ?? "unknown";
  const memory = Math.round(os.totalmem() / 1024 ** 3);
  return `${os.availableParallelism()} cores (${model}), ${memory} GB, Node.js ${process.versions.node}`;
}
