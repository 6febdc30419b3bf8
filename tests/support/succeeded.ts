import type { PulumiResult } from "./pulumiResult";

/** Expects success; if the run failed, the failure shows its output. */
export function succeeded(run: PulumiResult): void {
  expect([run.code, run.code === 0 ? "" : run.stdout]).toEqual([0, ""]);
}
