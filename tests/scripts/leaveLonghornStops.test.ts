import * as fs from "node:fs";
import * as path from "node:path";

import { addLonghornVolume } from "../support/doubles/longhornController";
import {
  cluster,
  evict,
  expectUndisturbed,
  FIRST,
  leave,
  left,
  longhorn,
  NAME,
  nodeOf,
  note,
  patches,
  placesOf,
  THIRD,
  world,
} from "../support/longhornLeave";

/* Longhorn in a removal, with the real script: evictions that do not end, interrupted removals, and dead nodes. */

describe("an eviction that does not end", () => {
  it("is undone after its time limit, with the names of the volumes that are left", async () => {
    longhorn({ stuckRebuilds: ["pvc-1"] });
    addLonghornVolume(cluster, "pvc-1", 10, [FIRST, NAME]);
    addLonghornVolume(cluster, "pvc-2", 10, [FIRST, NAME]);
    const run = await leave();
    expect(run.code).toBe(1);
    expect(run.output).toContain(
      `Longhorn did not move the replicas of ${NAME} within 120 s; it takes replicas again and keeps its machine. Not moved, or not healthy:\n  - volume pvc-1\nnext:`,
    );
    expect(nodeOf().spec).toMatchObject({ allowScheduling: true, evictionRequested: false });
    expect([note(), note(`leaving/${NAME}`), cluster.nodes.get(NAME)!.unschedulable]).toEqual(["", "", false]);
    expect(world.asked.filter((question) => question.startsWith("drain"))).toEqual([]);
    // Once the cause is gone, the same removal succeeds.
    cluster.longhorn = {};
    expect(await leave()).toMatchObject(left);
  });

  it("is undone exactly: a node that took no replicas before takes none after", async () => {
    longhorn({ stuckRebuilds: ["pvc-1"] });
    addLonghornVolume(cluster, "pvc-1", 10, [FIRST, NAME]);
    nodeOf().spec.allowScheduling = false;
    expect((await leave()).code).toBe(1);
    expect(nodeOf().spec).toMatchObject({ allowScheduling: false, evictionRequested: false });
  });

  it("is ignored with force if other nodes have all the data", async () => {
    longhorn({ stuckRebuilds: ["pvc-1"] });
    addLonghornVolume(cluster, "pvc-1", 10, [FIRST, NAME]);
    world.policy({ ON_BLOCKED: "force" });
    const run = await leave();
    expect(run).toMatchObject(left);
    expect(run.output).toContain("blocked: going on without the rest of Longhorn's replicas");
  });

  it("stops the removal, with force too, if the node has the last copy; removal.onLocalData destroys it", async () => {
    longhorn({ stuckRebuilds: ["pvc-1"] });
    addLonghornVolume(cluster, "pvc-1", 10, [NAME]);
    world.policy({ ON_BLOCKED: "force" });
    const run = await leave();
    expect(run.output).toContain("no other node has all of these volumes of Longhorn:\n  - volume pvc-1 (10Gi");
    expect([run.code, nodeOf().spec.allowScheduling, note()]).toEqual([1, true, ""]);
    world.policy({ ON_BLOCKED: "force", ON_LOCAL_DATA: "delete" });
    expect(await leave()).toMatchObject(left);
  });

  it("is not waited for with force if the replica cannot move at all", async () => {
    longhorn();
    addLonghornVolume(cluster, "pvc-1", 60, [FIRST, NAME, THIRD]);
    addLonghornVolume(cluster, "pvc-2", 10, [FIRST, NAME]);
    world.policy({ ON_BLOCKED: "force" });
    let noted = "";
    world.meanwhile = (question) => void (noted ||= question.includes("?(@.spec.nodeID") ? note() : "");
    const run = await leave();
    expect(run).toMatchObject(left);
    // A replica that can move is waited for until it is healthy.
    expect(noted.split("\n")).toContain("pvc-2");
    expect(run.output).toContain("have fewer copies without k3s-worker-02:\n  - volume pvc-1");
    expect(placesOf("pvc-2")).toEqual([FIRST, THIRD]);
  });

  it("is undone too if the drain is blocked after it", async () => {
    longhorn();
    addLonghornVolume(cluster, "pvc-1", 10, [FIRST, NAME]);
    world.meanwhile = (question) => {
      if (question.startsWith("drain")) throw new Error("cannot evict pod as it would violate its budget");
    };
    const run = await leave();
    expect(run.output).toContain(`the drain of ${NAME} did not finish`);
    expect([run.code, nodeOf().spec, note()]).toMatchObject([
      1,
      { allowScheduling: true, evictionRequested: false },
      "",
    ]);
  });

  it("a node keeps its machine while a volume stays attached after the drain", async () => {
    longhorn();
    const attachment = (nodeName: string) => ({
      metadata: { name: `csi-${nodeName}` },
      spec: { nodeName, source: { persistentVolumeName: "pvc-1" } },
    });
    cluster.objects.set("volumeattachments", [attachment(FIRST), attachment(NAME)]);
    const run = await leave();
    expect(run.output).toContain(`these volumes are still attached to ${NAME} 2 min after its drain`);
    expect([run.code, cluster.nodes.has(NAME), nodeOf().spec.allowScheduling]).toEqual([1, true, true]);
    cluster.objects.set("volumeattachments", [attachment(FIRST)]);
    expect(await leave()).toMatchObject(left);
  });
});

describe("a removal that was interrupted", () => {
  /** The first run dies at this request. */
  async function cutOff(at: RegExp): Promise<void> {
    world.meanwhile = (question) => {
      if (at.test(question)) throw new Error("killed");
    };
    expect((await leave()).code).not.toBe(0);
    world.meanwhile = () => {};
  }

  it.each([
    ["before Longhorn was asked", /get crd/],
    ["before its change", / patch /],
    ["while it was drained", /^uncordon|^drain/],
    ["when its Node was to be deleted", /^delete node/],
  ])("is finished by the next one: %s", async (_, at) => {
    longhorn();
    addLonghornVolume(cluster, "pvc-1", 10, [FIRST, NAME]);
    await cutOff(at);
    expect(await leave()).toMatchObject(left);
    expect([placesOf("pvc-1"), nodeOf(), note()]).toEqual([[FIRST, THIRD], undefined, ""]);
  });

  it("is undone by the next one that is refused", async () => {
    longhorn();
    addLonghornVolume(cluster, "pvc-1", 10, [FIRST, NAME]);
    // The only server is gone, so the script cannot undo anything.
    world.meanwhile = (question) => {
      if (question.startsWith("drain")) world.stopped.add(100);
    };
    expect((await leave()).code).toBe(1);
    world.meanwhile = () => {};
    world.stopped.clear();
    expect(nodeOf().spec.evictionRequested).toBe(true);
    addLonghornVolume(cluster, "pvc-2", 60, [FIRST, NAME, THIRD]);
    expect((await leave()).code).toBe(1);
    expect([nodeOf().spec, note()]).toMatchObject([{ allowScheduling: true, evictionRequested: false }, ""]);
  });
});

describe("a node that is dead", () => {
  it("is not waited for", async () => {
    longhorn();
    addLonghornVolume(cluster, "pvc-1", 10, [FIRST, NAME]);
    world.stopped.add(world.vmIds.get(NAME)!);
    const run = await leave();
    expect(run).toMatchObject(left);
    expect(run.output).toContain(
      "so this removal does not wait for its replicas: Longhorn rebuilds them on other nodes",
    );
    // Longhorn forgets only a node that takes no replicas.
    expect([patches(), nodeOf()]).toEqual([[evict], undefined]);
  });

  it("is not waited for either if only its Longhorn is dead", async () => {
    longhorn({ stuckRebuilds: ["pvc-1"] });
    addLonghornVolume(cluster, "pvc-1", 10, [FIRST, NAME]);
    nodeOf().status.conditions[0]!.status = "False";
    expect(await leave()).toMatchObject(left);
  });

  it("keeps its machine if it has the last copy of a volume", async () => {
    longhorn();
    addLonghornVolume(cluster, "pvc-1", 10, [NAME]);
    world.stopped.add(world.vmIds.get(NAME)!);
    const run = await leave();
    expect(run.output).toContain(
      `${NAME} keeps its machine, because it or its Longhorn does not answer and no other node has all of these volumes of Longhorn:\n  - volume pvc-1 (10Gi`,
    );
    expectUndisturbed(run);
    fs.rmSync(path.join(world.host.root, `etc/nodes/pve/lxc/${world.vmIds.get(NAME)}.conf`));
    expect(await leave()).toMatchObject(left);
  });

  it("may die while its replicas move", async () => {
    longhorn({ stuckRebuilds: ["pvc-1"] });
    addLonghornVolume(cluster, "pvc-1", 10, [FIRST, NAME]);
    world.meanwhile = (question) => {
      if (question === evict) world.stopped.add(world.vmIds.get(NAME)!);
    };
    const run = await leave();
    expect(run).toMatchObject(left);
    expect(run.output).toContain(`${NAME} stopped while Longhorn moved its replicas`);
  });
});

describe("while Longhorn is down, and its webhook refuses every change", () => {
  beforeEach(() => {
    longhorn();
    world.isRefused = (question) => question.includes(" patch ");
  });
  const stillListed = `Longhorn still lists ${NAME}; if it does not come back, and once Longhorn runs: kubectl -n longhorn-system patch nodes.longhorn.io ${NAME} --type=merge -p '{"spec":{"allowScheduling":false}}', then kubectl -n longhorn-system delete nodes.longhorn.io ${NAME}\n`;

  it("a node without replicas leaves; Longhorn's own Node stays, and so does the record for its return", async () => {
    addLonghornVolume(cluster, "pvc-1", 10, [FIRST, THIRD]);
    const run = await leave();
    expect(run).toMatchObject(left);
    expect(run.output).toContain(
      `Longhorn did not accept the eviction of ${NAME}, which has no replica that it could move: going on without it`,
    );
    expect(run.output).toContain(stillListed);
    expect([nodeOf().spec.allowScheduling, note()]).toEqual([true, "longhorn-system true false\n"]);
  });

  it("a dead node leaves", async () => {
    addLonghornVolume(cluster, "pvc-1", 10, [FIRST, NAME]);
    world.stopped.add(world.vmIds.get(NAME)!);
    const run = await leave();
    expect([run, run.output]).toMatchObject([left, expect.stringContaining(stillListed)]);
  });

  it("a node with replicas stays, and takes pods", async () => {
    addLonghornVolume(cluster, "pvc-1", 10, [FIRST, NAME]);
    const run = await leave();
    expect(run.output).toContain(`Longhorn did not accept the eviction of ${NAME}; it was not drained`);
    expect([run.code, cluster.nodes.get(NAME)?.unschedulable]).toEqual([1, false]);
  });
});

it("two nodes that leave at the same time do not count on each other", async () => {
  longhorn();
  addLonghornVolume(cluster, "pvc-1", 10, [FIRST, NAME]);
  const runs = await Promise.all([leave(NAME), leave(FIRST)]);
  expect(runs.map(({ code }) => code).sort()).toEqual([0, 1]);
  expect(runs.find(({ code }) => code === 1)!.output).toContain("cannot move its replicas of these volumes");
});

it("the step that waits for a node to be Ready undoes what an unfinished removal has left", async () => {
  longhorn({ stuckRebuilds: ["pvc-1"] });
  addLonghornVolume(cluster, "pvc-1", 10, [FIRST, NAME]);
  world.meanwhile = (question) => {
    if (question.startsWith("drain")) world.stopped.add(100);
  };
  cluster.longhorn = {};
  expect((await leave()).code).not.toBe(0);
  world.stopped.clear();
  world.meanwhile = () => {};
  expect([nodeOf().spec.evictionRequested, note()]).toEqual([
    true,
    expect.stringContaining("longhorn-system true false"),
  ]);
  const run = await world.ready(NAME);
  expect([run.code, run.output]).toEqual([0, expect.any(String)]);
  expect([nodeOf().spec, note()]).toMatchObject([{ allowScheduling: true, evictionRequested: false }, ""]);
});
