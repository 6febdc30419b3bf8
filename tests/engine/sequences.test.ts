import { playAll } from "../support/sequences/playAll";

/**
 * Random sequences of what people and accidents do to a cluster. They are the same each time, so a failure comes from the last
 * change. `npm run soak` plays new ones, more of them, or a certain one again.
 */

const FIRST = 200;

// A limit, not a measure: on a quiet machine it takes some minutes.
jest.setTimeout(2_700_000);

it.each([
  { game: "workers", runs: 4, promise: "no leave after the machine's removal, no other person's guest touched" },
  { game: "changes", runs: 1, promise: "up does, or refuses, what is announced" },
  { game: "servers", runs: 1, promise: "one at a time, no member's machine removed, never a second cluster" },
] as const)("$runs random sequences of $game: $promise, the end matches the config", async ({ game, runs }) => {
  process.stderr.write(`${runs} sequences: SEED=${FIRST} RUNS=${runs} npm run soak -- --game ${game}\n`);
  const seeds = Array.from({ length: runs }, (_, at) => FIRST + at);
  const { failed, counts } = await playAll({ game, seeds, parallel: 2 });
  process.stderr.write(["", ...counts.lines, ""].join("\n"));
  expect(failed.map(({ failure }) => failure).join("\n\n")).toBe("");
});
