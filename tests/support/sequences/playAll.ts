import fc from "fast-check";
import * as fs from "node:fs";
import type { Homelab, HomelabSnapshot } from "../homelab";
import { homelabAtRest } from "../homelabAtRest";
import { compileProgram } from "./compiled";
import { playChanges } from "./changes";
import { Counts } from "./counts";
import { editSequences, roomForServers } from "./edits";
import { mixed } from "./mixed";
import { play } from "./play";
import { playServers, serverSequences, threeServers } from "./servers";
import { sequences } from "./steps";

/** What can be played: changes of a cluster's workers, of its servers, or what a review announces about a change. */
const GAMES = {
  workers: {
    prepare: mixed,
    property: (from: HomelabSnapshot) => fc.asyncProperty(sequences, (steps) => play(from, steps)),
  },
  changes: {
    prepare: async (lab: Homelab) => {
      await mixed(lab);
      lab.edit(roomForServers);
    },
    property: (from: HomelabSnapshot, counts: Counts) =>
      fc.asyncProperty(editSequences, (steps) => playChanges(from, steps, counts)),
  },
  servers: {
    prepare: threeServers,
    property: (from: HomelabSnapshot) => fc.asyncProperty(serverSequences, (steps) => playServers(from, steps)),
  },
} as const;
export const games = Object.keys(GAMES) as GameName[];
export type GameName = keyof typeof GAMES;

export interface PlayOptions {
  readonly game: GameName;
  /** Each seed gives one sequence, which is always the same. */
  readonly seeds: readonly number[];
  /** Number of sequences at the same time; one uses about one core. */
  readonly parallel: number;
  /** Looks for the shortest sequence that fails, too, by playing many more. */
  readonly shrink?: boolean;
  /** Called with the result of each sequence. */
  readonly onEnd?: (outcome: Outcome) => void;
}

export interface Outcome {
  readonly seed: number;
  /** The broken promises, the steps, the story, and the command to play it again; undefined if every promise was kept. */
  readonly failure?: string;
  readonly seconds: number;
}

export interface Played {
  readonly failed: readonly Outcome[];
  /** Counts of what was played, only from games that count. */
  readonly counts: Counts;
}

/** Plays random sequences, each in its own homelab with a running cluster. */
export async function playAll({ game, seeds, parallel, shrink = false, onEnd }: PlayOptions): Promise<Played> {
  const from = await homelabAtRest((lab) => {
    compileProgram(lab);
    return GAMES[game].prepare(lab);
  });
  const waiting = [...seeds];
  const failed: Outcome[] = [];
  const counts = new Counts();
  const lane = async (): Promise<void> => {
    for (let seed = waiting.shift(); seed !== undefined; seed = waiting.shift()) {
      const began = Date.now();
      const failure = await playOne(game, { from, seed, shrink, counts });
      const outcome = { seed, seconds: (Date.now() - began) / 1000, ...(failure === undefined ? {} : { failure }) };
      if (failure !== undefined) failed.push(outcome);
      onEnd?.(outcome);
    }
  };
  try {
    await Promise.all(Array.from({ length: parallel }, lane));
  } finally {
    fs.rmSync(from.folder, { recursive: true });
  }
  return { failed, counts };
}

async function playOne(
  game: GameName,
  { from, seed, shrink, counts }: { from: HomelabSnapshot; seed: number; shrink: boolean; counts: Counts },
): Promise<string | undefined> {
  try {
    await fc.assert(GAMES[game].property(from, counts) as fc.IAsyncProperty<unknown>, {
      seed,
      numRuns: 1,
      endOnFailure: !shrink,
      includeErrorInReport: true,
    });
    return undefined;
  } catch (error) {
    return `${(error as Error).message}\nAgain: SEED=${seed} RUNS=1 npm run soak -- --game ${game}`;
  }
}
