import { setTimeout as sleep } from "node:timers/promises";
import { Homelab, type HomelabSnapshot } from "../homelab";
import type { Entry } from "../journal";
import type { PulumiResult } from "../pulumiResult";

/** One homelab, and what a sequence does to it. */
export interface Game<Step> {
  /** One line for each change, accident and run of `pulumi`. */
  readonly story: readonly string[];
  step(step: Step): Promise<void>;
  /** Fixes everything as the errors say, then checks the promises. */
  end(): Promise<void>;
}

/**
 * Plays a sequence in a new homelab.
 * @throws Error with every broken promise, and the story so far
 */
export async function playGame<Step>(
  from: HomelabSnapshot,
  steps: readonly Step[],
  begin: (lab: Homelab) => Game<Step>,
): Promise<void> {
  const lab = await Homelab.start(from);
  const game = begin(lab);
  try {
    for (const step of steps) await game.step(step);
    await game.end();
  } catch (error) {
    throw new Error(`${(error as Error).message}\n\nWhat happened:\n${game.story.join("\n")}`, { cause: error });
  } finally {
    await lab.dispose();
  }
}

/**
 * Runs an `up` that is killed after so many entries of the journal, and unlocks the stack; scripts and tasks that were started
 * run on to their end.
 * @param seen called with each entry when it begins
 * @returns whether the `up` was killed; if not, it had ended before
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
    if (Date.now() > end) throw new Error("the scripts and tasks of the killed up have not ended within a minute");
  return isKilled;
}

/** Message of `recover` about an interrupted clone without a name: only a person can know whose it is. */
const NAMELESS = /if none does: qm unlock (\d+) && qm destroy \1 on pve/;

/**
 * Runs `npx proxmox-k3s recover` and agrees; then does by hand what it leaves to a person.
 * @throws Error if it fails
 */
export async function recover(lab: Homelab): Promise<void> {
  const run = () => lab.command("recover", "--stack", "homelab", "--yes");
  let { code, stdout, stderr } = await run();
  for (let nameless = NAMELESS.exec(stdout); nameless; nameless = NAMELESS.exec(stdout)) {
    // Wait until no task of the API can still be making it.
    await lab.idle();
    await lab.qm("unlock", nameless[1]!);
    await lab.qm("destroy", nameless[1]!);
    ({ code, stdout, stderr } = await run());
  }
  if (code !== 0) throw new Error(`recover fails:\n${stdout}${stderr}`);
}

/** All errors of a run, indented. */
export function textOf(run: PulumiResult): string {
  return [...run.errors, run.stderr.trim()].join("\n").replaceAll(/^/gm, "    ").trim();
}
