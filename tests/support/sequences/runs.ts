import { setTimeout as sleep } from "node:timers/promises";
import type { Homelab } from "../homelab";
import type { Entry } from "../journal";
import type { PulumiResult } from "../pulumiResult";

/**
 * Runs an `up` that is killed once so many things have begun, and frees the stack; what it had begun goes on to its end.
 * @param seen told of each thing that begins
 * @returns whether it was killed; else it had ended before
 */
export async function killUp(
  lab: Homelab,
  after: number,
  flags: readonly string[],
  seen: (entry: Entry) => void = () => {},
): Promise<boolean> {
  let things = 0;
  const moment = (entry: Entry): boolean => {
    seen(entry);
    return ++things >= after;
  };
  const isKilled = await lab
    .killed(moment, "up", ...flags)
    .then(() => true)
    .catch((error: Error) => !/ended before it could be killed/.test(error.message) && Promise.reject(error));
  if (isKilled) await lab.cancel();
  await lab.idle();
  for (const end = Date.now() + 60_000; lab.journal.entries.some(({ ended }) => ended === undefined); await sleep(20))
    if (Date.now() > end) throw new Error("what the killed up had begun has not ended within a minute");
  return isKilled;
}

/** `npm run cluster -- recover`, by a person who agrees. @throws Error when it fails */
export async function recover(lab: Homelab): Promise<void> {
  const { code, stdout, stderr } = await lab.command("recover", "--stack", "homelab", "--yes");
  if (code !== 0) throw new Error(`recover fails:\n${stdout}${stderr}`);
}

/** All that a run complained of, indented. */
export function textOf(run: PulumiResult): string {
  return [...run.errors, run.stderr.trim()].join("\n").replaceAll(/^/gm, "    ").trim();
}
