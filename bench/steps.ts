import { parseStep } from "../plan/steps";
import type { PulumiResult } from "../tests/support/pulumiResult";

type Times = Pick<PulumiResult, "seconds" | "ended">;

/** Where the seconds of an `up` go: for each step the slowest resource, in the order in which the steps ended. */
export function stepTable({ seconds, ended }: Times): string[] {
  const slowest = new Map<string, { name: string; seconds: number; from: number; to: number }>();
  for (const [name, took] of Object.entries(seconds)) {
    const step = parseStep(name)?.step ?? "machine";
    const to = ended[name]!;
    if (took >= (slowest.get(step)?.seconds ?? 1)) slowest.set(step, { name, seconds: took, from: to - took, to });
  }
  const first = Math.min(...[...slowest.values()].map(({ from }) => from));
  return [...slowest]
    .sort(([, a], [, b]) => a.to - b.to || a.from - b.from)
    .map(([step, { name, seconds, from, to }]) => {
      const span = `${seconds} s`.padStart(5);
      return `    ${step.padEnd(14)} ${span}, second ${from - first} to ${to - first}: ${name}`;
    });
}

/** Seconds of the node whose own steps took longest, one after the other. */
export function slowestNode({ seconds }: Times, nodes: readonly string[]): number {
  const total = (node: string): number =>
    Object.entries(seconds).reduce((sum, [name, took]) => {
      const isOwn = name === node || parseStep(name)?.of === node;
      return isOwn ? sum + took : sum;
    }, 0);
  return Math.max(...nodes.map(total));
}
