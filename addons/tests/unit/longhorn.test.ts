import { loadSettings } from "../../plan/load";
import { planLonghorn } from "../../plan/longhorn";
import type { Standing } from "../../plan/standing";
import { readFacts, wrongValues } from "../support/chartValues";
import { baseConfig, changed, clusterOf, planOf } from "../support/config";

const CHART = { source: "charts/longhorn-1.12.1.tgz", version: "1.12.1", digest: `sha256:${"ab".repeat(32)}` };

/** A second node with a disk, in addition to the one in the fixture. */
const SECOND = {
  nodes: {
    "k3s-storage-02": {
      ...{ role: "agent", kind: "vm", pool: "storage", index: 2, vmId: 111, address: "192.168.2.31" },
      ...{ proxmoxNode: "pve", labels: { storage: "longhorn" }, disks: [{ serial: "a", path: "/mnt/longhorn/a" }] },
      taints: [{ key: "storage", value: "only", effect: "NoSchedule" }],
    },
  },
};

function longhornOf(longhorn: object = {}, outputs: unknown = SECOND) {
  const settings = loadSettings({
    cluster: "organization/proxmox-k3s/homelab",
    longhorn: { chart: CHART, ...longhorn },
  });
  return planLonghorn(settings, clusterOf(outputs))!;
}
const valuesOf = (longhorn?: object, outputs?: unknown) => longhornOf(longhorn, outputs).release.values;

test("only the disks that the cluster's config gives it, two copies, and no default class in addition to K3s' own", () => {
  expect(valuesOf()).toMatchObject({
    persistence: { defaultClass: false, defaultClassReplicaCount: 2, reclaimPolicy: "Delete" },
    defaultSettings: {
      createDefaultDiskLabeledNodes: true,
      storageReservedPercentageForDefaultDisk: 10,
      defaultReplicaCount: 2,
      nodeDrainPolicy: "block-if-contains-last-replica",
    },
  });
});

test("all parts run on the nodes with disks, and tolerate only their taints", () => {
  const values = valuesOf();
  expect(values["global"]).toEqual({
    nodeSelector: { "node.longhorn.io/create-default-disk": "config" },
    tolerations: [{ key: "storage", operator: "Exists", effect: "NoSchedule" }],
  });
  expect(values["defaultSettings"]).toMatchObject({
    systemManagedComponentsNodeSelector: "node.longhorn.io/create-default-disk:config",
    taintToleration: "storage:NoSchedule",
  });
});

test("with nodes: labelled, it runs on every node with the label, also without a disk", () => {
  const server = { nodes: { "k3s-master": { kind: "vm", labels: { storage: "longhorn" } } } };
  const values = valuesOf({ nodes: "labelled" }, changed(SECOND, server));
  expect(values["global"]).toMatchObject({ nodeSelector: { storage: "longhorn" } });
  expect(values["defaultSettings"]).toMatchObject({
    systemManagedComponentsNodeSelector: "storage:longhorn",
    taintToleration: "node-role.kubernetes.io/control-plane:NoSchedule;storage:NoSchedule",
  });
});

test("a setting without a value is written as empty, because Longhorn keeps the old value of one that is removed", () => {
  const values = valuesOf({}, { nodes: { "k3s-storage-02": null } });
  expect(values["defaultSettings"]).toMatchObject({ taintToleration: "", deletingConfirmationFlag: false });
});

test("a failed upgrade is not undone, because Longhorn does not go back to an older version", () => {
  expect(longhornOf().release).toMatchObject({ name: "longhorn", namespace: "longhorn-system", keepsFailed: true });
});

describe("its deletion", () => {
  const standing = (values: object): Standing => ({ releases: { longhorn: values as Record<string, unknown> } });
  const without = changed(baseConfig(), { longhorn: null });

  test("is refused by Pulumi and by Longhorn's own flag, unless the config allows it", () => {
    expect(longhornOf().release.protect).toBe(true);
    const release = longhornOf({ onDeletion: "deleteVolumes" }).release;
    expect(release.protect).toBe(false);
    expect(release.values["defaultSettings"]).toMatchObject({ deletingConfirmationFlag: true });
  });

  test("is refused in a preview, and the error says what would be lost, if it was not allowed before", () => {
    const { values } = longhornOf().release;
    expect(() => planOf(without, {}, standing(values))).toThrow(
      "addons.longhorn: is missing, but Longhorn is in the cluster: without it, all its volumes are lost, with their data (put it back; to lose the volumes, set onDeletion: deleteVolumes in it, run `pulumi up`, and then remove it)",
    );
    expect(() => planOf(without, {}, standing({}))).toThrow(/^addons\.longhorn: is missing/);
  });

  test("is done if the last `up` allowed it, and there is no message if Longhorn was never installed", () => {
    const { values } = longhornOf({ onDeletion: "deleteVolumes" }).release;
    expect(() => planOf(without, {}, standing(values))).not.toThrow();
    expect(() => planOf(without)).not.toThrow();
  });

  test("does not delete the namespace while the volumes are kept", () => {
    const protectedIn = (onDeletion: string) =>
      planOf(changed(baseConfig(), { longhorn: { onDeletion } })).namespaces.find(
        ({ name }) => name === "longhorn-system",
      );
    expect(protectedIn("refuse")).toMatchObject({ podSecurity: "privileged", protect: true });
    expect(protectedIn("deleteVolumes")).toMatchObject({ protect: false });
  });
});

test("no other pod can reach its API or its page, which have no password, unless the config allows it", () => {
  const policiesOf = (networkPolicies: boolean) =>
    planOf(changed(baseConfig(), { longhorn: { networkPolicies }, monitoring: null })).namespaces.find(
      ({ name }) => name === "longhorn-system",
    )!.policies;
  expect(valuesOf()).toMatchObject({ networkPolicies: { restrictInternalTraffic: true } });
  expect(policiesOf(true)).toEqual([{ name: "deny-page", pods: { app: "longhorn-ui" }, ingress: [] }]);
  expect(valuesOf({ networkPolicies: false })).toMatchObject({ networkPolicies: { restrictInternalTraffic: false } });
  expect(policiesOf(false)).toEqual([]);
});

describe("the values fit the chart", () => {
  const facts = readFacts("longhorn");
  // Labels of nodes.
  const free = ["global.nodeSelector"];

  test.each([
    ["the default", {}],
    [
      "everything else",
      { replicas: 1, nodes: "labelled", reclaimPolicy: "Retain", networkPolicies: false, onDeletion: "deleteVolumes" },
    ],
  ])("%s: every key is one of the chart's, with its type", (_, longhorn) => {
    expect(wrongValues(facts, valuesOf(longhorn), free)).toEqual([]);
  });

  test("a setting with Longhorn's name instead of the chart's is found", () => {
    expect(wrongValues(facts, { defaultSettings: { "node-drain-policy": "always-allow" } }, free)).toEqual([
      "defaultSettings.node-drain-policy: it has no such key",
    ]);
  });
});
