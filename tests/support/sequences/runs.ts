import { setTimeout as sleep } from "node:timers/promises";
import { Homelab, type HomelabSnapshot } from "../homelab";
import type { Entry } from "../journal";
import type { PulumiResult } from "../pulumiResult";

/** One world, and what a sequence does to it. */
export interface Game<Step> {
  /** One line for each thing that a person, fate or `pulumi` did. */
  readonly story: readonly string[];
  step(step: Step): Promise<void>;
  /** Everything is put right, as far as the errors say how; then the promises are held against the world. */
  end(): Promise<void>;
}

/**
 * Plays a sequence in a world of its own.
 * @throws Error with everything that was broken, and the story so far
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
    throw new Error(`${(error as Error).message}\n\nThe story:\n${game.story.join("\n")}`, { cause: error });
  } finally {
    await lab.dispose();
  }
}

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

/** What recover says of a copy that was cut off before it had a name, so that nobody but a person can tell whose it is. */
const NAMELESS = /if none does: qm unlock (\d+) && qm destroy \1 on pve/;

/**
 * `npx proxmox-k3s recover`, by a person who agrees, and who does by hand what it leaves to a person.
 * @throws Error when it fails
 */
export async function recover(lab: Homelab): Promise<void> {
  const run = () => lab.command("recover", "--stack", "homelab", "--yes");
  let { code, stdout, stderr } = await run();
  for (let nameless = NAMELESS.exec(stdout); nameless; nameless = NAMELESS.exec(stdout)) {
    // No task makes it.
    await lab.idle();
    await lab.qm("unlock", nameless[1]!);
    await lab.qm("destroy", nameless[1]!);
    ({ code, stdout, stderr } = await run());
  }
  if (code !== 0) throw new Error(`recover fails:\n${stdout}${stderr}`);
}

/** All that a run complained of, indented. */
export function textOf(run: PulumiResult): string {
  return [...run.errors, run.stderr.trim()].join("\n").replaceAll(/^/gm, "    ").trim();
}
