import { playAll } from "../support/sequences/playAll";

/**
 * Random sequences of what people and fate do to a cluster: the same ones each time, so that a run that fails is the
 * fault of what was changed. `npm run soak` plays new ones, and more of them, and any one again.
 */

const FIRST = 200;

// A bound and no measure: some minutes on a quiet machine.
jest.setTimeout(2_700_000);

it.each([
  { game: "workers", runs: 4, promise: "no leave after its machine, no stranger touched" },
  { game: "changes", runs: 1, promise: "what is announced is what up does, or refuses" },
  { game: "servers", runs: 1, promise: "one at a time, no member's machine goes, never a second cluster" },
] as const)("$runs random sequences of $game: $promise, the end is what was wished for", async ({ game, runs }) => {
  process.stderr.write(`${runs} sequences: SEED=${FIRST} RUNS=${runs} npm run soak -- --game ${game}\n`);
  const seeds = Array.from({ length: runs }, (_, at) => FIRST + at);
  const { failed, counts } = await playAll({ game, seeds, parallel: 2 });
  process.stderr.write(["", ...counts.lines, ""].join("\n"));
  expect(failed.map(({ failure }) => failure).join("\n\n")).toBe("");
});
