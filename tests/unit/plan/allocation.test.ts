import fc from "fast-check";
import { allocatePool, fillPattern, indicesOf } from "../../../plan/allocate";
import { ConfigError, loadPlan } from "../../../plan/load";
import { contains, fromNumber, rangeOf, toNumber } from "../../../plan/network";
import type { NodePlan } from "../../../plan/model";
import type { PoolSettings } from "../../../config/schema";
import { lxcPoolSchema } from "../../../config/sections/lxcPool";
import { baseConfig, changed } from "../config/support";

/** A node's identity follows from its index alone: no other change of the pool moves it. */

const retiredList = fc.uniqueArray(fc.integer({ min: 1, max: 30 }), { maxLength: 10 });
const count = fc.integer({ min: 0, max: 30 });

const series = <T>(first: T, nth: (steps: number) => T) =>
  fc.boolean().map((asList) => (asList ? Array.from({ length: 80 }, (_, steps) => nth(steps * 2)) : { from: first }));

const pool: fc.Arbitrary<PoolSettings> = fc
  .record({
    count,
    retired: retiredList,
    vmIds: series(100, (steps) => 100 + steps),
    addresses: series("10.1.0.10", (steps) => fromNumber(toNumber("10.1.0.10") + steps) ?? ""),
    hostname: fc.constantFrom("node-{0}", "node-{00}", "n{000}"),
  })
  .map((drawn) => lxcPoolSchema.parse({ ...drawn, role: "agent", kind: "lxc", cores: 1, memory: "1GB", disk: "8GB" }));

const byIndex = (settings: PoolSettings) => new Map(allocatePool("c", "p", settings).map((node) => [node.index, node]));

test("the pool has as many indices as its count: the lowest from 1 that are not retired", () => {
  fc.assert(
    fc.property(count, retiredList, (wanted, retired) => {
      const naive = Array.from({ length: 100 }, (_, at) => at + 1).filter((index) => !retired.includes(index));
      expect(indicesOf(wanted, retired)).toEqual(naive.slice(0, wanted));
    }),
  );
});

test("no two nodes of a pool share a hostname, a VMID or an address", () => {
  fc.assert(
    fc.property(pool, (settings) => {
      const nodes = allocatePool("c", "p", settings);
      for (const key of ["hostname", "vmId", "address"] as const) {
        expect(new Set(nodes.map((node) => node[key].value)).size).toBe(settings.count);
      }
    }),
  );
});

test("scaling up or down changes no other node, and adds or removes at the end", () => {
  fc.assert(
    fc.property(pool, count, (settings, other) => {
      const [before, after] = [allocatePool("c", "p", settings), allocatePool("c", "p", { ...settings, count: other })];
      const staying = Math.min(settings.count, other);
      expect(after.slice(0, staying)).toEqual(before.slice(0, staying));
    }),
  );
});

test("retiring a node and lowering the count removes that node and changes no other", () => {
  fc.assert(
    fc.property(
      pool.filter((settings) => settings.count > 0),
      fc.nat(),
      (settings, choice) => {
        const before = byIndex(settings);
        const victim = [...before.keys()][choice % before.size] ?? 1;
        const after = byIndex({ ...settings, count: settings.count - 1, retired: [...settings.retired, victim] });
        before.delete(victim);
        expect(after).toEqual(before);
      },
    ),
  );
});

test("any sequence of scaling and retiring keeps the identity of each index", () => {
  const step = fc.oneof(fc.record({ count }), fc.record({ retire: fc.integer({ min: 1, max: 30 }) }));
  fc.assert(
    fc.property(pool, fc.array(step, { maxLength: 12 }), (start, steps) => {
      const seen = new Map<number, unknown>();
      let settings = start;
      for (const change of [{ count: start.count }, ...steps]) {
        settings =
          "count" in change
            ? { ...settings, count: change.count }
            : { ...settings, retired: [...settings.retired, change.retire] };
        for (const [index, node] of byIndex(settings)) {
          expect(node).toEqual(seen.get(index) ?? node);
          seen.set(index, node);
        }
      }
    }),
  );
});

test("an accepted plan has distinct nodes inside the network, and a refused one has a reason", () => {
  const place = fc.record({
    count: fc.integer({ min: 0, max: 40 }),
    vmId: fc.integer({ min: 100, max: 200 }),
    host: fc.integer({ min: 0, max: 255 }),
  });
  const outcomes = { accepted: 0, refused: 0 };
  fc.assert(
    fc.property(place, place, (one, other) => {
      const poolOf = ({ count: size, vmId, host }: typeof one) => ({
        ...{ role: "agent", kind: "lxc", count: size, cores: 1, memory: "1GB", disk: "8GB" },
        ...{ vmIds: { from: vmId + 100 }, addresses: { from: `192.168.2.${host}` } },
      });
      const config = changed(baseConfig(), {
        pools: { worker: null, spare: null, one: poolOf(one), other: poolOf(other) },
      });
      const hosts = [one, other].flatMap(({ count: size, host }) => Array.from({ length: size }, (_, at) => host + at));
      const vmIds = [one, other].flatMap(({ count: size, vmId }) =>
        Array.from({ length: size }, (_, at) => vmId + 100 + at),
      );
      const taken = [0, 1, 20, 21, 22, 167, 255]; // network, gateway, the servers, the Proxmox host, broadcast
      const free = hosts.every((host) => host < 255 && !taken.includes(host));
      const apart = new Set(hosts).size === hosts.length && new Set(vmIds).size === vmIds.length;
      const nodes = planOrNothing(config);
      expect(nodes !== undefined).toBe(free && apart);
      outcomes[nodes ? "accepted" : "refused"]++;
      for (const { address } of nodes ?? []) expect(contains(rangeOf("192.168.2.0/24"), address)).toBe(true);
    }),
    { numRuns: 300 },
  );
  expect(Math.min(outcomes.accepted, outcomes.refused)).toBeGreaterThan(10);
});

function planOrNothing(config: unknown): readonly NodePlan[] | undefined {
  try {
    return loadPlan(config, {}).nodes;
  } catch (error) {
    if (error instanceof ConfigError) return undefined;
    throw error;
  }
}

test.each([
  ["k3s-worker-{00}", 1, "k3s-worker-01"],
  ["k3s-worker-{00}", 100, "k3s-worker-100"],
  ["n{0}.x", 7, "n7.x"],
])("%s for index %d is %s", (pattern, index, expected) => expect(fillPattern(pattern, index)).toBe(expected));
