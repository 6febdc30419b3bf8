import type { PulumiResult } from "./pulumiResult";

/** The run succeeded; else its output is the failure's text. */
export function succeeded(run: PulumiResult): void {
  expect([run.code, run.code === 0 ? "" : run.stdout]).toEqual([0, ""]);
}
