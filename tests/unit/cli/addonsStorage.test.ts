import { compare } from "../../../cli/status/compare";
import type { Sight } from "../../../cli/status/sight";
import type {
  AddonsSight,
  Condition,
  LonghornDiskSight,
  LonghornNodeSight,
  LonghornSight,
} from "../../../plan/addonsSight";
import {
  cluster,
  clusterOf,
  conditions,
  GOOD,
  PLAN,
  said,
  there,
  V1,
  V2,
  withAddons,
} from "../../support/addonsStatus";
import { seen } from "../../support/statusSight";

/* What a person sees of the storage. */

const unschedulable = (reason: string): Condition[] => [
  ...conditions(),
  { type: "Schedulable", status: "False", reason },
];
const WELL: Condition[] = [...conditions(), { type: "Schedulable", status: "True", reason: undefined }];

describe("Longhorn", () => {
  const disk = (change: Partial<LonghornDiskSight> = {}): LonghornDiskSight => ({
    ...{ name: "longhorn", path: "/mnt/longhorn/longhorn", allowScheduling: true, evictionRequested: false },
    conditions: WELL,
    ...change,
  });
  const node = (name: string, change: Partial<LonghornNodeSight> = {}): LonghornNodeSight => ({
    ...{ namespace: "longhorn-system", name, allowScheduling: true, evictionRequested: false, conditions: WELL },
    disks: [disk()],
    ...change,
  });
  const longhorn = (change: Partial<LonghornSight> = {}): Pick<AddonsSight, "longhorn"> => ({
    longhorn: there({
      nodes: [node(V1), node(V2)],
      volumes: { all: 3, degraded: 0, faulted: 0 },
      unwell: [],
      ...change,
    }),
  });
  const second = (change: Partial<LonghornNodeSight>): Sight =>
    withAddons(longhorn({ nodes: [node(V1), node(V2, change)] }));
  const DESCRIBE = "kubectl -n longhorn-system describe nodes.longhorn.io vm-2 says why";
  const PATCH = "kubectl -n longhorn-system patch nodes.longhorn.io vm-2 --type=merge -p";

  test("that matches the plan is one line", () => {
    expect(said(withAddons(longhorn()))).toEqual([
      "ok longhorn: 2 nodes have the disks of the plan, and no volume of 3 lacks a copy",
    ]);
  });

  test.each<[string, Sight, string]>([
    [
      "a node that Longhorn does not know",
      withAddons(longhorn({ nodes: [node(V1)] })),
      "fail longhorn: vm-2 has disks for Longhorn, which does not know the node → kubectl -n longhorn-system get pods -l app=longhorn-manager -o wide says whether Longhorn runs there",
    ],
    [
      "a node that is not Ready in Longhorn",
      second({ conditions: conditions("False", "ManagerPodDown") }),
      `fail longhorn: vm-2 is not Ready in Longhorn (ManagerPodDown) → ${DESCRIBE}`,
    ],
    [
      "a node that gets no replicas",
      second({ conditions: unschedulable("KubernetesNodePressure") }),
      `warn longhorn: vm-2 takes no new replicas (KubernetesNodePressure) → ${DESCRIBE}`,
    ],
    [
      "a node whose scheduling somebody stopped",
      second({ allowScheduling: false }),
      `warn longhorn: vm-2 takes no new replicas: somebody has stopped that in Longhorn → ${PATCH} '{"spec":{"allowScheduling":true}}'`,
    ],
    [
      "an eviction that is left over",
      second({ allowScheduling: false, evictionRequested: true }),
      `warn longhorn: vm-2 is being emptied by Longhorn, but no removal of this program is running → ${PATCH} '{"spec":{"allowScheduling":true,"evictionRequested":false}}', if nobody wants it`,
    ],
    [
      "a disk that Longhorn does not know",
      second({ disks: [disk({ name: "other", path: "/mnt/other" })] }),
      `fail longhorn: vm-2 has the disk longhorn, which Longhorn does not know → ${PATCH} '{"spec":{"disks":{"longhorn":{"path":"/mnt/longhorn/longhorn","diskType":"filesystem","allowScheduling":true,"evictionRequested":false}}}}'`,
    ],
    [
      "a disk that Longhorn cannot use",
      second({ disks: [disk({ conditions: conditions("False", "DiskFilesystemChanged") })] }),
      `fail longhorn: vm-2 has the disk longhorn, which Longhorn cannot use (DiskFilesystemChanged) → ${DESCRIBE}`,
    ],
    [
      "a disk that is full",
      second({ disks: [disk({ conditions: unschedulable("DiskPressure") })] }),
      `warn longhorn: vm-2 has the disk longhorn, which takes no new replicas (DiskPressure) → ${DESCRIBE}`,
    ],
    [
      "a disk whose scheduling somebody stopped",
      second({ disks: [disk({ name: "d1", allowScheduling: false })] }),
      `warn longhorn: vm-2 has the disk longhorn, which takes no new replicas: somebody has stopped that in Longhorn → ${PATCH} '{"spec":{"disks":{"d1":{"allowScheduling":true}}}}'`,
    ],
    [
      "the eviction of a disk that is left over",
      second({ disks: [disk(), disk({ name: "old", path: "/mnt/old", evictionRequested: true })] }),
      `warn longhorn: vm-2 has the disk old, which is being emptied by Longhorn, but no removal of this program is running → ${PATCH} '{"spec":{"disks":{"old":{"allowScheduling":true,"evictionRequested":false}}}}', if nobody wants it`,
    ],
    [
      "a node that Kubernetes does not have any more, and to which Longhorn may still give replicas",
      withAddons(longhorn({ nodes: [node(V1), node(V2), node("vm-9")] })),
      `warn longhorn: vm-9 is still listed by Longhorn, and is no node of the cluster → kubectl -n longhorn-system patch nodes.longhorn.io vm-9 --type=merge -p '{"spec":{"allowScheduling":false}}', then kubectl -n longhorn-system delete nodes.longhorn.io vm-9, if it does not come back`,
    ],
    [
      "a node that Kubernetes does not have any more",
      withAddons(longhorn({ nodes: [node(V1), node(V2), node("vm-9", { allowScheduling: false })] })),
      "warn longhorn: vm-9 is still listed by Longhorn, and is no node of the cluster → kubectl -n longhorn-system delete nodes.longhorn.io vm-9, if it does not come back",
    ],
    [
      "volumes that lack copies",
      withAddons(
        longhorn({
          volumes: { all: 20, degraded: 8, faulted: 0 },
          unwell: ["a", "b", "c", "d", "e", "f"].map((name) => ({
            ...{ namespace: "longhorn-system", name, robustness: "degraded" as const },
          })),
        }),
      ),
      "warn longhorn: 8 of 20 volumes are degraded, with fewer copies than they ask for: a, b, c, d, e and 3 more → kubectl -n longhorn-system get volumes.longhorn.io,replicas.longhorn.io says which copies are missing; Longhorn makes them as soon as a node has room",
    ],
    [
      "volumes without a copy",
      withAddons(
        longhorn({
          volumes: { all: 2, degraded: 0, faulted: 1 },
          unwell: [{ namespace: "longhorn-system", name: "a", robustness: "faulted" }],
        }),
      ),
      "fail longhorn: 1 of 2 volumes are faulted, with no usable copy: a → kubectl -n longhorn-system get volumes.longhorn.io,replicas.longhorn.io says which copies failed; start the nodes that have them, or restore a backup",
    ],
  ])("%s has one line, with the command that fixes it", (_, sight, line) => {
    expect(said(sight)).toEqual([line]);
    expect(compare(PLAN, sight).verdict).toBe("differs");
  });

  const evicted = { allowScheduling: false, evictionRequested: true, conditions: unschedulable("Evicted") };
  test.each<[string, Partial<LonghornNodeSight>, Partial<Sight>]>([
    ["a removal that is still running", evicted, cluster({ leaving: [V2] })],
    [
      "a cordon",
      { conditions: unschedulable("KubernetesNodeCordoned") },
      cluster({ nodes: clusterOf().nodes!.map((each) => ({ ...each, isCordoned: each.name === V2 })) }),
    ],
    [
      "a node that is NotReady",
      { conditions: conditions("False", "KubernetesNodeNotReady") },
      cluster({ nodes: clusterOf().nodes!.map((each) => ({ ...each, isReady: each.name !== V2 })) }),
    ],
    [
      "a guest that is stopped",
      { conditions: conditions("False", "KubernetesNodeNotReady") },
      { listed: { seen: seen(GOOD.listed).map((each) => ({ ...each, isRunning: each.name !== V2 })) } },
    ],
  ])("a problem with its own line gets no second one: %s", (_, change, sight) => {
    const differs = said(withAddons(longhorn({ nodes: [node(V1), node(V2, change)] }), sight));
    expect(differs.filter((line) => !line.startsWith("ok "))).toEqual([]);
  });
});
