import * as fs from "node:fs";
import { machineRemoval } from "../reliability/removal";
import { titleOf } from "../reliability/row";
import { Scene } from "../reliability/scene";
import { expectSeen, strike } from "../reliability/strike";
import { Homelab, type HomelabSnapshot } from "../support/homelab";
import type { PulumiResult } from "../support/pulumiResult";

/** The rows of docs/reliability.md about removed machines: each row's fault is on a different worker, all in one run. */

jest.setTimeout(600_000);

/** One node's steps do not wait for another's, so one failure does not end another row's test. */
const ALL = ["--continue-on-error", "--parallel", "64"];

const rows = { "scale down": machineRemoval("scale down"), destroy: machineRemoval("destroy") };

/** An existing cluster, with a worker for each row. */
let standing: HomelabSnapshot;
beforeAll(async () => {
  const scene = new Scene(await Homelab.start(), rows.destroy);
  scene.prepare();
  const { code, errors } = await scene.lab.up(...ALL);
  expect([code, errors]).toEqual([0, []]);
  standing = scene.lab.save();
  await scene.lab.dispose();
});
afterAll(() => fs.rmSync(standing.folder, { recursive: true }));

describe.each(["scale down", "destroy"] as const)("%s", (phase) => {
  let scene: Scene;
  let struck: PulumiResult;
  const run = (...flags: string[]): Promise<PulumiResult> =>
    phase === "destroy" ? scene.lab.destroy(...ALL, ...flags) : scene.lab.up(...ALL, ...flags);

  beforeAll(async () => {
    scene = new Scene(await Homelab.start(standing), rows[phase]);
    if (phase === "scale down") scene.lab.edit(({ pools }) => (pools.worker.count = 0));
    struck = await strike(scene.lab, scene.cases, () => run());
  });
  afterAll(() => scene?.lab.dispose());

  it.each(rows[phase].map((row, at) => [titleOf(row), at] as const))("%s", (_, at) => {
    expectSeen(scene.cases[at]!, struck);
  });

  it("loses nothing: an existing guest is in the state; no guest is removed before its node has left", async () => {
    const managed = await scene.managed();
    for (const { node, vmid } of scene.cases) {
      if (scene.isThere(vmid)) expect([node, managed.includes(vmid)]).toEqual([node, true]);
      if (phase === "scale down") scene.expectLeftFirst(node, vmid);
    }
    scene.expectStrangerUntouched();
  });

  it("finishes with the same command again, with --refresh if a guest was removed without the program", async () => {
    const unseen = scene.cases.filter(({ vmid }) => !scene.isThere(vmid)).filter(({ row }) => row.sees.length > 0);
    expect(unseen.filter(({ row }) => row.remedy !== "again --refresh")).toEqual([]);
    const again = await run();
    expect([...again.failed].sort()).toEqual(unseen.map(({ node }) => node).sort());
    const last = await run("--refresh");
    expect([last.code, last.errors]).toEqual([0, []]);
    expect(await scene.managed()).toEqual(phase === "destroy" ? [] : [100]);
    expect(scene.cases.filter(({ vmid }) => scene.isThere(vmid))).toEqual([]);
    scene.expectStrangerUntouched();
  });

  it("matches the plan after the next up, and a further one changes nothing", async () => {
    scene.lab.edit(({ pools }) => (pools.worker.count = 1));
    // The destroy of the only server has ended the cluster.
    if (phase === "destroy") scene.lab.host.members.clear();
    const up = await scene.lab.up();
    expect([up.code, up.errors]).toEqual([0, []]);
    await scene.expectPlan(1);
  });
});
