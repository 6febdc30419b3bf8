import type { FaultSpec } from "../../lab/pve/faults/fault";
import type { Homelab } from "../support/homelab";
import type { PulumiResult } from "../support/pulumiResult";
import { asPattern, forNode, resourceOf, type ProgramBound, type Row } from "./row";

/** A row with the node that it happens to. */
export interface Case {
  readonly row: Row;
  readonly node: string;
  readonly vmid: number;
}

/** What a copy of the program has in place of its bounds where a row runs into one, in seconds. */
export const SHORT: Readonly<Record<ProgramBound, number>> = {
  timeoutCreate: 10,
  timeoutUpdate: 30,
  timeoutDelete: 10,
};

/** The engine's clock is in whole seconds, and the machine has other work. */
const SLACK = 5;

/** Kinds of faults that are meant for one guest. */
const OF_GUESTS: readonly FaultSpec["kind"][] = [
  ...(["error", "slow", "drop", "drop-answer", "task-fail", "task-slow", "task-lost"] as const),
  ...(["lock", "no-address", "guest-dies"] as const),
];

/** Sets the faults of all cases, those with a moment of their own at that moment, while the command runs; then clears them. */
export async function strike(
  lab: Homelab,
  cases: readonly Case[],
  run: () => Promise<PulumiResult>,
): Promise<PulumiResult> {
  lab.journal.clear();
  const set = ({ row, vmid }: Case): void =>
    void lab.faults.set({ ...row.set, ...(OF_GUESTS.includes(row.set.kind) && { guest: vmid }) });
  const waiting = new Set(cases.filter(({ row }) => row.from !== undefined));
  for (const each of cases) if (!waiting.has(each)) set(each);
  lab.journal.watch = () => {
    const begun = new Set(lab.journal.whats());
    for (const each of waiting) {
      if (!each.row.from!.every((what) => begun.has(forNode(what, each.node, each.vmid)))) continue;
      waiting.delete(each);
      set(each);
    }
  };
  try {
    return await run();
  } finally {
    lab.journal.watch = () => {};
    lab.faults.clear();
    await lab.idle();
  }
}

/** Whether the operation itself fails: a hook after a change speaks of one that is done. */
function failsResource({ step, sees }: Row): boolean {
  return sees.length > 0 && step !== "back";
}

/**
 * The run printed what the row says, at its resource or with the node's name, and took no longer than it says; where the
 * row says nothing, the resource did not fail.
 *
 * @param cluster its name, which is its stack's as well
 */
export function expectSeen({ row, node, vmid }: Case, run: PulumiResult, cluster = "homelab"): void {
  const resource = resourceOf(row, node, cluster);
  const said = [run.said[resource] ?? "", run.said[""] ?? ""].join("\n");
  expect([resource, run.failed.includes(resource)]).toEqual([resource, failsResource(row)]);
  for (const piece of row.sees) expect(said).toMatch(asPattern(forNode(piece, node, vmid)));
  const bound = typeof row.bound === "number" ? row.bound : SHORT[row.bound];
  expect(run.seconds[resource]).toBeLessThanOrEqual(bound + SLACK);
}

/** Every case is seen, and nothing failed that no row speaks of. As {@link expectSeen} in all else. */
export function expectRows(cases: readonly Case[], run: PulumiResult, cluster = "homelab"): void {
  const failing = cases.filter(({ row }) => failsResource(row));
  expect([run.failed.length, run.errors]).toEqual([failing.length, run.errors]);
  if (cases.some(({ row }) => row.sees.length > 0)) expect(run.code).not.toBe(0);
  for (const each of cases) expectSeen(each, run, cluster);
}
