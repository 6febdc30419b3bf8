import { playAll } from "../support/sequences/playAll";

/**
 * Random sequences of what people and fate do to a cluster: the same ones each time, so that a run that fails is the
 * fault of what was changed. `npm run soak` plays new ones, and more of them, and any one again.
 */

const RUNS = 30;
const FIRST = 200;

// A bound and no measure: some minutes on a quiet machine.
jest.setTimeout(2_700_000);

it(`${RUNS} random sequences: no leave after its machine, no stranger touched, the end is what was wished for`, async () => {
  process.stderr.write(`${RUNS} sequences: SEED=${FIRST} RUNS=${RUNS} npm run soak\n`);
  const seeds = Array.from({ length: RUNS }, (_, at) => FIRST + at);
  const failed = await playAll({ seeds, parallel: 2 });
  expect(failed.map(({ failure }) => failure).join("\n\n")).toBe("");
});
