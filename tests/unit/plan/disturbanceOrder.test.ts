import { disturbanceOrder } from "../../../plan/disturbanceOrder";
import { loadPlan } from "../../../plan/load";
import { clusterRecordOf } from "../../../plan/record";
import { transitions } from "../../../plan/transitions";
import { changed, homelabConfig } from "../config/support";

const base = (change: unknown = {}) =>
  loadPlan(changed(changed(homelabConfig(), { pools: { worker: { count: 4 } } }), change));
const order = (change: unknown): Record<string, readonly string[]> => {
  const plan = base(change);
  const turns = disturbanceOrder(transitions(clusterRecordOf(base()), plan), plan);
  const placed = turns.map(({ node }) => node.name);
  for (const { node, after } of turns)
    for (const other of after.filter((name) => placed.includes(name)))
      expect(placed.indexOf(other)).toBeLessThan(placed.indexOf(node.name));
  return Object.fromEntries(turns.map(({ node, after }) => [node.name, after]));
};
const worker = (index: number): string => `k3s-worker-0${index}`;
const free = Object.fromEntries([1, 2, 3, 4].map((index) => [worker(index), []]));
const moved = { pools: { worker: { vmIds: { from: 202 } } } };

test("agents are rebuilt one after the other", () => {
  expect(order(moved)).toEqual({
    [worker(1)]: [],
    [worker(2)]: [worker(1)],
    [worker(3)]: [worker(2)],
    [worker(4)]: [worker(3)],
  });
});

test("or as many at a time as the config allows", () => {
  expect(order({ ...moved, rollout: { concurrency: 2 } })).toEqual({
    [worker(1)]: [],
    [worker(2)]: [],
    [worker(3)]: [worker(1)],
    [worker(4)]: [worker(2)],
  });
});

test("after the nodes that reboot or restart, also servers", () => {
  const change = {
    pools: { worker: { nodes: { 1: { vmId: 300 }, 2: { memory: "9GB" } } }, master: { memory: "5GB" } },
  };
  expect(order(change)).toEqual({ ...free, [worker(1)]: ["k3s-master", worker(2)], [worker(2)]: ["k3s-master"] });
});

test("every changed agent comes after the changed servers, rebuilt or rebooted", () => {
  const change = {
    removal: { allowControlPlaneLoss: true },
    pools: { worker: { nodes: { 1: { vmId: 300 }, 2: { memory: "9GB" } } }, master: { vmIds: { from: 400 } } },
  };
  // The others get their new server's address.
  const others = Object.fromEntries([2, 3, 4].map((index) => [worker(index), ["k3s-master"]]));
  expect(order(change)).toEqual({ ...others, [worker(1)]: ["k3s-master", worker(2), worker(3), worker(4)] });
});

test("nodes that join, leave or change live do not wait", () => {
  const { [worker(2)]: _, ...left } = free;
  expect(order({ pools: { worker: { retired: [2], cores: 6 } } })).toEqual({ ...left, [worker(5)]: [] });
});
