import { renderText } from "../../../cli/preview/render";
import { reviewOf } from "../../../cli/preview/review";
import { formatProblem, type Problem } from "../../../config/problems";
import { announcements } from "../../../plan/announce";
import { loadPlan } from "../../../plan/load";
import { type ClusterPlan, longhornDisks } from "../../../plan/model";
import { clusterRecordOf } from "../../../plan/record";
import { preflightArgs } from "../../../plan/render/preflightArgs";
import { privilegePaths } from "../../../plan/privileges";
import { transitions } from "../../../plan/transitions";
import { state } from "../../support/reviews";
import { changed, homelabConfig } from "../config/support";

/* Disks that are kept when their machine is replaced: what a change of them does, and the messages about them when a node leaves. */

const data = { serial: "data", size: "50GB" };
const POOL = {
  ...{ kind: "vm", role: "agent", count: 2, hostname: "vm-{0}", template: 9000, cores: 2, memory: "4GB", disk: "20GB" },
  ...{ vmIds: { from: 120 }, addresses: { from: "192.168.2.40" }, disks: [data], disksVmIds: { from: 320 } },
};
const plan = (pool: object = {}, more: object = {}): ClusterPlan =>
  loadPlan(changed(changed(homelabConfig(), { pools: { vms: POOL } }), { pools: { vms: pool }, ...more }));
const former = clusterRecordOf(plan());
const judged = (to: ClusterPlan) => transitions(former, to);

test("every node has its own guest for them, and a node may have others than its pool", () => {
  const own = { 2: { disks: [{ serial: "logs", size: "5GB", storage: "slow" }], disksVmId: 350 } };
  const nodes = plan({ nodes: own }).nodes.filter(({ kind }) => kind === "vm");
  expect(nodes).toMatchObject([
    { name: "vm-1", disks: [{ serial: "data", storage: "local-lvm", sizeGiB: 50 }], disksVmId: 320 },
    { name: "vm-2", disks: [{ serial: "logs", storage: "slow", sizeGiB: 5 }], disksVmId: 350 },
  ]);
  const apart = plan({ nodes: own });
  expect(preflightArgs(apart)["FURTHER"]).toBe("320 local-lvm 50\n350 slow 5");
  expect(privilegePaths(apart).get("/storage/slow")).toContain("Datastore.Audit");
});

test("they are added and grow while the machine runs", () => {
  const to = plan({
    disks: [
      { ...data, size: "60GB" },
      { serial: "logs", size: "5GB" },
    ],
  });
  const { changes, refusals } = judged(to);
  expect([changes.map(({ effect, reasons }) => [effect, ...reasons]), refusals]).toEqual([
    [
      ["live", "further disks"],
      ["live", "further disks"],
    ],
    [],
  ]);
  const text = renderText(reviewOf({ record: former, source: state, unfinished: [] }, to));
  expect(text).toContain("further disk data 50GB → 60GB, logs new → 5GB");
  expect(text).toMatch(/pve: disk on local-lvm +272GB → 302GB/);
});

describe("for Longhorn", () => {
  const LABEL = "node.longhorn.io/create-default-disk";
  const logs = { serial: "logs", size: "20GB", longhorn: true };
  const given = plan({ disks: [{ ...data, longhorn: true }, logs], nodes: { 2: { disks: [data] } } });
  const node = (of: ClusterPlan, name: string) => of.nodes.find((each) => each.name === name)!;
  const change = (from: ClusterPlan, to: ClusterPlan, name = "vm-1") => {
    const { changes, refusals } = transitions(clusterRecordOf(from), to);
    return [
      refusals,
      ...changes.filter((each) => each.node === name).map(({ effect, reasons }) => [effect, ...reasons]),
    ];
  };

  test("only their nodes get the label, the package and the service that Longhorn needs", () => {
    expect(node(given, "vm-1")).toMatchObject({ labels: { [LABEL]: "config" }, packages: ["open-iscsi"], iscsi: true });
    expect(longhornDisks(node(given, "vm-1")).map(({ serial }) => serial)).toEqual(["data", "logs"]);
    expect(node(given, "vm-2")).toMatchObject({ labels: {}, packages: [], iscsi: false });
    expect(longhornDisks(node(given, "vm-2"))).toEqual([]);
    expect(clusterRecordOf(given).nodes.find(({ name }) => name === "vm-1")).toMatchObject({
      disks: [
        { serial: "data", storage: "local-lvm", sizeGiB: 50 },
        { serial: "logs", storage: "local-lvm", sizeGiB: 20 },
      ],
      longhorn: ["data", "logs"],
    });
  });

  test("the first one of a node restarts its K3s for the label; another one is added and removed live", () => {
    const one = plan({ disks: [{ ...data, longhorn: true }] });
    expect(change(plan(), one)).toEqual([[], ["k3sRestart", "options, labels or taints"]]);
    expect(change(one, plan())).toEqual([[], ["k3sRestart", "options, labels or taints"]]);
    const two = plan({ disks: [{ ...data, longhorn: true }, logs] });
    expect(change(one, two)).toEqual([[], ["live", "further disks", "disks for Longhorn"]]);
    const back = plan({
      disks: [
        { ...data, longhorn: true },
        { ...logs, longhorn: false },
      ],
    });
    expect(change(two, back)).toEqual([[], ["live", "disks for Longhorn"]]);
    const text = renderText(reviewOf({ record: clusterRecordOf(two), source: state, unfinished: [] }, back));
    expect(text).toContain("disks for Longhorn −logs");
  });

  test("their order does not matter", () => {
    const turned = plan({ disks: [logs, { ...data, longhorn: true }] });
    expect(change(plan({ disks: [{ ...data, longhorn: true }, logs] }), turned)).toEqual([[]]);
  });

  test("a disk that Longhorn has cannot be removed from the node either", () => {
    const [refused] = change(given, plan({ disks: [{ ...data, longhorn: true }] })) as [Problem[]];
    expect(refused.map(formatProblem)).toEqual([
      "cluster.pools.vms.disks: cannot take the disk logs off vm-1, which may be using it (put it back; to get rid of it, retire the node and add another)",
    ]);
  });
});

test.each([
  [
    "a disk is removed",
    { disks: [] },
    "cluster.pools.vms.disks: cannot take the disk data off vm-1, which may be using it (put it back; to get rid of it, retire the node and add another)",
  ],
  [
    "shrink one",
    { disks: [{ ...data, size: "40GB" }] },
    "cluster.pools.vms.disks: cannot shrink the disk data of vm-1 from 50GB to 40GB (set 50GB; for a smaller one, add another disk)",
  ],
  [
    "another guest for them",
    { disksVmIds: { from: 330 } },
    "cluster.pools.vms.disksVmIds: cannot give the disks of vm-1 to guest 330: guest 320 keeps them (set it back to 320)",
  ],
])("refused: %s", (_, change, problem) => {
  expect(judged(plan(change)).refusals.map(formatProblem)).toContain(problem);
});

test("another storage is only for disks that are created later", () => {
  expect(judged(plan({ storage: "slow" }))).toEqual({ changes: [], refusals: [] });
});

test.each([
  ["keep", "vm-2: drain and removal; its guest is destroyed with its disk; its further disk data is kept on guest 321"],
  ["delete", "vm-2: drain and removal; its guest is destroyed with its disk; its further disk data is deleted too"],
])("the preview says what happens to them with the node: %s", (onDisks, line) => {
  const to = plan({ count: 1 }, { removal: { onDisks } });
  expect(announcements(judged(to), to)).toEqual([line]);
});

test("a rebuild keeps them, whatever the policy for a removal", () => {
  const to = plan({ vmIds: { from: 220 } }, { removal: { onDisks: "delete" } });
  expect(renderText(reviewOf({ record: former, source: state, unfinished: [] }, to))).toContain(
    "Its further disk data is kept on guest 320.",
  );
});
