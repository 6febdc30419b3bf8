import * as fs from "node:fs";

import { k3sBound, SERVER_TIMEOUT } from "../../../plan/bounds";

/* Time limits in scripts, and the sums that must fit into them. */

/** The number after this text in a file. */
function numberAfter(words: RegExp, file: string): number {
  const [, found] = new RegExp(`${words.source}(\\d+)`).exec(fs.readFileSync(file, "utf8")) ?? [];
  return Number(found);
}

test("the step of K3s has time to wait for its server, to start, and to restore its former config", () => {
  expect(numberAfter(/limit=(?=\d)/, "scripts/node/k3s-onboarding.sh")).toBe(SERVER_TIMEOUT);
  const again = numberAfter(/patience=(?=\d)/, "scripts/node/k3s-refusals.sh");
  expect(k3sBound({ k3s: { startTimeoutSeconds: 600 } as never })).toBeGreaterThan(SERVER_TIMEOUT + 600 + again);
});

test("a trial of a NixOS system lasts longer than its switch and the check from outside", () => {
  const trial = numberAfter(/TRIAL_SECONDS=/, "scripts/lib/nixos-guest.sh");
  const switches = numberAfter(/SWITCH=/, "scripts/host/nixos-trial.sh");
  const look = numberAfter(/TRY_SECONDS = /, "components/nixos.ts");
  expect(trial).toBeGreaterThan(switches + look);
  expect(fs.readFileSync("components/nixos.ts", "utf8")).toContain(`within ${trial / 60} minutes`);
});
