import { Homelab } from "../support/homelab";

/** Many nodes at once, with more steps in parallel than the machine has cores. */

jest.setTimeout(600_000);

const WORKERS = 20;

let lab: Homelab;
beforeAll(async () => {
  lab = await Homelab.start();
  lab.edit(({ pools }) => (pools.worker.count = WORKERS));
});
afterAll(() => lab?.dispose());

const seconds = (since: number): string => `${((Date.now() - since) / 1000).toFixed(1)} s`;

it(`a cluster of ${WORKERS} workers is previewed and created`, async () => {
  const parallel = ["--parallel", "64"];
  const times: string[] = [];
  let began = Date.now();
  const preview = await lab.preview(...parallel);
  times.push(`preview ${seconds(began)}`);
  expect([preview.code, preview.errors]).toEqual([0, []]);

  began = Date.now();
  const up = await lab.up(...parallel);
  times.push(`up ${seconds(began)}`);
  expect([up.code, up.errors]).toEqual([0, []]);
  expect(Object.keys(up.changes).sort()).toEqual(Object.keys(preview.changes).sort());
  expect(lab.machines.guests.size).toBe(1 + WORKERS);
  expect(lab.host.members.size).toBe(1 + WORKERS);
  process.stderr.write(`${1 + WORKERS} nodes: ${times.join(", ")}\n`);
});
