import type { FaultSpec } from "../../lab/pve/faults/fault";
import type { Homelab } from "../support/homelab";
import type { PulumiResult } from "../support/pulumiResult";
import { asPattern, forNode, resourceOf, type ProgramBound, type Row } from "./row";

/** A row, and the node to which its fault happens. */
export interface Case {
  readonly row: Row;
  readonly node: string;
  readonly vmid: number;
}

/** Values for the program's bounds in the test's copy of the program, for rows that run into one; in seconds. */
export const SHORT: Readonly<Record<ProgramBound, number>> = {
  timeoutCreate: 10,
  timeoutUpdate: 30,
  timeoutDelete: 10,
};

/** The engine counts whole seconds, and the machine may be busy. */
const SLACK = 5;

/** Kinds of faults of a single guest. */
const OF_GUESTS: readonly FaultSpec["kind"][] = [
  ...(["error", "slow", "drop", "drop-answer", "task-fail", "task-slow", "task-lost"] as const),
  ...(["lock", "no-address", "guest-dies"] as const),
];

/** Sets the faults of all cases, each at its moment (`from`) if it has one, while the command runs; then clears them. */
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

/** Whether the operation itself fails. A hook after a change reports about a change that is already done. */
function failsResource({ step, sees }: Row): boolean {
  return sees.length > 0 && step !== "back";
}

/**
 * Expects that the run printed what the row says, at its resource or with the node's name, and did not take longer than the row
 * says. If the row has no text, the resource must not have failed.
 *
 * @param cluster its name, which is also the stack's
 */
export function expectSeen({ row, node, vmid }: Case, run: PulumiResult, cluster = "homelab"): void {
  const resource = resourceOf(row, node, cluster);
  const said = [run.said[resource] ?? "", run.said[""] ?? ""].join("\n");
  expect([resource, run.failed.includes(resource)]).toEqual([resource, failsResource(row)]);
  for (const piece of row.sees) expect(said).toMatch(asPattern(forNode(piece, node, vmid)));
  const bound = typeof row.bound === "number" ? row.bound : SHORT[row.bound];
  expect(run.seconds[resource]).toBeLessThanOrEqual(bound + SLACK);
}

/** Expects every case as {@link expectSeen} does, and that nothing else failed. */
export function expectRows(cases: readonly Case[], run: PulumiResult, cluster = "homelab"): void {
  const failing = cases.filter(({ row }) => failsResource(row));
  expect([run.failed.length, run.errors]).toEqual([failing.length, run.errors]);
  if (cases.some(({ row }) => row.sees.length > 0)) expect(run.code).not.toBe(0);
  for (const each of cases) expectSeen(each, run, cluster);
}
