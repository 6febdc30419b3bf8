import { firstSeed, playAll } from "../support/sequences/playAll";

/**
 * Random sequences of what people and fate do to a cluster. `npm run soak` plays more of them, and any one again.
 */

const RUNS = 30;

jest.setTimeout(1_200_000);

it(`${RUNS} random sequences: no leave after its machine, no stranger touched, the end is what was wished for`, async () => {
  const first = firstSeed();
  process.stderr.write(`${RUNS} sequences: SEED=${first} RUNS=${RUNS} npm run soak\n`);
  const seeds = Array.from({ length: RUNS }, (_, at) => first + at);
  const failed = await playAll({ seeds, parallel: 2 });
  expect(failed.map(({ failure }) => failure).join("\n\n")).toBe("");
});
