import { Homelab } from "../tests/support/homelab";
import type { PulumiResult } from "../tests/support/pulumiResult";
import { peakMemory, type PeakMemory } from "./peakMemory";
import { slowestNode } from "./steps";
import { time, type Timing } from "./timing";

export interface LargeUp extends Timing, PeakMemory {
  /** Seconds of the steps of the slowest node, one after the other. */
  readonly slowest: number;
}

/**
 * An `up` from nothing with the real engine and the real scripts, but with simulated machines, so the time is only that of the
 * program, the engine and the shells.
 * @param nodes servers and workers together
 * @throws Error with the output if the `up` fails
 */
export async function timeLargeUp(nodes: number): Promise<LargeUp> {
  const lab = await Homelab.start();
  try {
    lab.edit(({ pools }: { pools: { worker: { count: number } } }) => (pools.worker.count = nodes - 1));
    let up: PulumiResult | undefined;
    let timing: Timing | undefined;
    const peak = await peakMemory(async () => {
      timing = await time(async () => (up = await lab.up()));
    });
    if (up?.code !== 0) throw new Error(`an up of ${nodes} nodes failed:\n${up?.stdout}${up?.stderr}`);
    return { ...timing!, ...peak, slowest: slowestNode(up, [...lab.host.members.keys()]) };
  } finally {
    await lab.dispose();
  }
}
