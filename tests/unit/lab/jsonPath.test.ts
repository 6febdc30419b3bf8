import { jsonPath } from "../../support/doubles/jsonPath";

/** The double of kubectl gives the same output as kubectl for the scripts' templates; those here have their forms. */

const node = {
  metadata: {
    name: "node-1",
    annotations: { "etcd.k3s.cattle.io/node-name": "node-1-5f3a9c1e", "proxmox-k3s/x": "y" },
  },
  spec: { taints: [{ key: "a", effect: "NoSchedule" }, { key: "b" }] },
  status: {
    conditions: [
      { type: "MemoryPressure", status: "False" },
      { type: "Ready", status: "True" },
    ],
  },
};

it.each([
  ["{.metadata.name}", "node-1"],
  ["{.metadata.missing}", ""],
  ["{.metadata.annotations.etcd\\.k3s\\.cattle\\.io/node-name}", "node-1-5f3a9c1e"],
  ["{.metadata.annotations['proxmox-k3s/x']}{'\\n'}", "y\n"],
  ['{.status.conditions[?(@.type=="Ready")].status} |', "True |"],
  ["{.spec.taints[*].key}", "a b"],
  ['{range .spec.taints[?(@.key=="b")]}found{end}|', "found|"],
  ['{range .spec.taints[?(@.key=="c")]}found{end}|', "|"],
  ['{range .spec.taints[*]}{.key}:{.effect}{"\\n"}{end}', "a:NoSchedule\nb:\n"],
])("%s", (template, text) => {
  expect(jsonPath(template, node)).toBe(text);
});

it("refuses what it does not support", () => {
  expect(() => jsonPath("{.items[0:2]}", node)).toThrow("error parsing jsonpath");
});
