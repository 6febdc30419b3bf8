import * as fs from "node:fs";
import { change } from "../reliability/change";
import { creation, fullStorage } from "../reliability/creation";
import { titleOf } from "../reliability/row";
import { Scene } from "../reliability/scene";
import { expectSeen, strike } from "../reliability/strike";
import { Homelab } from "../support/homelab";
import { inTurns, type PulumiResult } from "../support/pulumiResult";

/**
 * The rows of docs/reliability.md about the creation and change of machines: each row's fault is on a different worker, all in one
 * `up`. The tests build on each other.
 */

jest.setTimeout(600_000);

/** One node's steps do not wait for another's, so one failure does not end another row's test. */
const ALL = ["--continue-on-error", "--parallel", "64"];

let scene: Scene;
let struck: PulumiResult;

beforeAll(async () => {
  scene = new Scene(await Homelab.start(), creation);
  scene.prepare();
  struck = await strike(scene.lab, scene.cases, () => scene.lab.up(...ALL));
});
afterAll(() => scene?.lab.dispose());

describe("up", () => {
  it.each(creation.map((row, at) => [titleOf(row), at] as const))("%s", (_, at) => {
    expectSeen(scene.cases[at]!, struck);
  });

  it("loses nothing: what was created is in the state, except what the message tells you to remove", async () => {
    const managed = await scene.managed();
    const states = scene.cases.map(({ node, vmid }) => [node, scene.isThere(vmid), managed.includes(vmid)]);
    const expected = scene.cases.map(({ row, node, vmid }) =>
      row.remedy === "recover" ? [node, true, false] : [node, managed.includes(vmid), managed.includes(vmid)],
    );
    expect(states).toEqual(expected);
    scene.expectStrangerUntouched();
  });
});

describe("afterwards", () => {
  it("an up continues where it ended, and stops at what is half created, with the next step", async () => {
    const again = await scene.lab.up(...ALL);
    const half = scene.cases.filter(({ row }) => row.remedy === "recover");
    expect([...again.failed].sort()).toEqual(half.map(({ node }) => node).sort());
    for (const { node, vmid } of half)
      expect(again.said[node]).toMatch(
        new RegExp(`${node}-claim: VMID ${vmid} has our mark[^]*next:  npx proxmox-k3s recover`),
      );
  });

  it("that step completes the plan, and a further up changes nothing", async () => {
    await scene.recover();
    const last = await scene.lab.up(...ALL);
    expect([last.code, last.errors]).toEqual([0, []]);
    await scene.expectPlan();
  });

  it.each(fullStorage.map((row) => [titleOf(row), row] as const))("up: %s", async (_, row) => {
    const next = { row, node: `k3s-worker-${scene.cases.length + 1}`, vmid: 102 + scene.cases.length };
    scene.lab.edit(({ pools }) => (pools.worker.count = scene.cases.length + 1));
    expectSeen(next, await strike(scene.lab, [next], () => scene.lab.up()));
    expect([scene.isThere(next.vmid), (await scene.managed()).includes(next.vmid)]).toEqual([false, false]);
    expect((await scene.lab.up()).code).toBe(0);
    expect(scene.lab.machines.isRunning(next.vmid)).toBe(true);
  });
});

describe("change", () => {
  const cases = () => change.map((row, at) => ({ ...scene.cases[at]!, row }));
  beforeAll(async () => {
    scene.lab.edit(({ pools }) => (pools.worker.memory = "9GB"));
    const run = await strike(scene.lab, cases(), () => scene.lab.up(...ALL));
    const nodes = Object.keys(run.ended).filter((name) => /^k3s-worker-\d+$/.test(name));
    struck = inTurns(run, nodes);
  });

  it.each(change.map((row, at) => [titleOf(row), at] as const))("%s", (_, at) => {
    expectSeen(cases()[at]!, struck);
  });

  it("matches the plan after --refresh, and a further up changes nothing", async () => {
    const up = await scene.lab.up(...ALL, "--refresh");
    expect([up.code, up.errors]).toEqual([0, []]);
    for (const { node, vmid } of scene.cases) {
      const conf = fs.readFileSync(scene.lab.host.confFile(vmid), "utf8");
      expect([node, /^memory: (\d+)$/m.exec(conf)?.[1], conf.includes("[pve:pending]")]).toEqual([node, "9216", false]);
    }
    expect((await scene.lab.up()).changes).toEqual({});
  });
});
