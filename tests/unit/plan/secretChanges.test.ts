import { loadPlan } from "../../../plan/load";
import { withRegistryChanges } from "../../../plan/secretChanges";
import type { NodeChange, NodeEffect } from "../../../plan/transitions";
import { homelabConfig } from "../config/support";

/* A registry's password or CA is not in the plan: what a new one adds to the plan's changes. */

const plan = loadPlan(homelabConfig());
const change = (node: string, effect: NodeEffect, ...reasons: string[]): NodeChange => ({ node, effect, reasons });
const changes = (known: readonly NodeChange[], ...nodes: string[]): readonly NodeChange[] =>
  withRegistryChanges({ changes: known, refusals: [] }, plan, new Set(nodes)).changes;

test("an unchanged node restarts its K3s, in the plan's order and before those that leave", () => {
  const leaves = change("gone", "leave");
  expect(changes([change("k3s-worker-01", "live", "cores"), leaves], "k3s-worker-02", "k3s-master")).toEqual([
    change("k3s-master", "k3sRestart", "registries"),
    change("k3s-worker-01", "live", "cores"),
    change("k3s-worker-02", "k3sRestart", "registries"),
    leaves,
  ]);
});

test("a node that would keep running restarts its K3s, and a restart gets one more reason", () => {
  expect(
    changes(
      [change("k3s-master", "live", "cores"), change("k3s-worker-01", "k3sRestart", "version")],
      ...["k3s-master", "k3s-worker-01"],
    ),
  ).toEqual([
    change("k3s-master", "k3sRestart", "registries"),
    change("k3s-worker-01", "k3sRestart", "version", "registries"),
  ]);
});

test.each([
  change("k3s-master", "reboot", "memory"),
  change("k3s-master", "rebuild", "VMID"),
  change("k3s-master", "join"),
  change("k3s-master", "k3sRestart", "registries"),
])("a stronger effect, and a restart for the same reason, stay as they are: $effect", (known) => {
  expect(changes([known], "k3s-master")).toEqual([known]);
});
