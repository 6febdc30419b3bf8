import * as fs from "node:fs";
import * as path from "node:path";

import {
  addLonghornDisk,
  addLonghornNode,
  addLonghornVolume,
  installLonghorn,
  type LonghornFaults,
  type LonghornNode,
  longhornReplicas,
  longhornVolumes,
  set,
} from "../../support/doubles/longhornController";
import type { SimulatedCluster } from "../../support/doubles/simulatedCluster";
import { longhornProblems } from "../../support/longhornSchemas";
import type { ScriptRun } from "../../support/scriptedHost";
import { NODES, ScriptedLonghorn } from "../../support/scriptedLonghorn";

/*
 * Longhorn in a removal: the script itself, with `pct` and `kubectl` answered by doubles. The double of Longhorn's controllers moves
 * replica objects; what they hold is checked against Longhorn's own schemas.
 */

const [, FIRST, NAME, THIRD] = NODES;

let world: ScriptedLonghorn;
let cluster: SimulatedCluster;
beforeEach(async () => {
  world = await new ScriptedLonghorn().open();
  cluster = world.cluster;
});
afterEach(() => world.close());

/** Three nodes with Longhorn, each with a disk of 100 GiB, and volumes with copies on two of them. */
function longhorn(faults: LonghornFaults = {}, gib = 100): void {
  installLonghorn(cluster, faults);
  for (const name of [FIRST, NAME, THIRD]) addLonghornNode(cluster, name, gib);
}
const leave = (name: string = NAME): Promise<ScriptRun> => world.leave(name);
const left = { code: 0, outcome: `${NAME} left the cluster` };
const note = (file = `evicting/${NAME}`): string => world.note(file);
const nodeOf = (name: string = NAME): LonghornNode => world.nodeOf(name);
const placesOf = (volume: string): string[] => world.placesOf(volume);
const CHANGES = /^(patch|drain|cordon|uncordon|delete|taint|label|annotate)/;
const changes = (): string[] => world.asked.filter((question) => CHANGES.test(question));
const NO_SCHEDULING = '{"spec":{"allowScheduling":false,"evictionRequested":true}}';
const evict = `-n longhorn-system patch nodes.longhorn.io ${NAME} --type=merge -p ${NO_SCHEDULING}`;
const patches = (): string[] => world.patches;

/** Nothing was changed, in the cluster or on the host. */
function expectUndisturbed(run: ScriptRun): void {
  expect([run.code, changes(), patches(), note(), note(`leaving/${NAME}`)]).toEqual([1, [], [], "", ""]);
  expect(nodeOf().spec).toMatchObject({ allowScheduling: true, evictionRequested: false });
}

it("asks a cluster without Longhorn one question more, and changes nothing else", async () => {
  expect(await leave()).toMatchObject(left);
  expect(world.asked.filter((question) => /longhorn|crd|volumeattachments/.test(question))).toEqual([
    "get crd nodes.longhorn.io --ignore-not-found -o name",
  ]);
});

it("does not wait where Longhorn does not know the node", async () => {
  installLonghorn(cluster);
  addLonghornNode(cluster, FIRST, 100);
  expect(await leave()).toMatchObject(left);
  expect(patches()).toEqual([]);
});

describe("replicas", () => {
  it("move before the drain, by one change of the node, and the volumes are healthy then", async () => {
    longhorn();
    addLonghornVolume(cluster, "pvc-1", 10, [FIRST, NAME]);
    addLonghornVolume(cluster, "pvc-2", 10, [NAME, THIRD]);
    addLonghornVolume(cluster, "pvc-3", 10, [FIRST, THIRD]);
    const run = await leave();
    expect(run).toMatchObject(left);
    expect(["pvc-1", "pvc-2", "pvc-3"].map(placesOf)).toEqual([
      [FIRST, THIRD],
      [FIRST, THIRD],
      [FIRST, THIRD],
    ]);
    expect(longhornVolumes(cluster).map(({ status }) => status.robustness)).toEqual(["healthy", "healthy", "healthy"]);
    expect(patches()).toEqual([evict]);
    expect(world.asked.indexOf(evict)).toBeLessThan(world.asked.findIndex((question) => question.startsWith("drain")));
    expect(run.output).toMatch(
      /Longhorn moves the replicas of k3s-worker-02: \d left, volumes that are not healthy: \d/,
    );
    expect(run.output).toContain(`no replica of Longhorn is on ${NAME} any more`);
    expect([nodeOf(), note()]).toEqual([undefined, ""]);
  });

  it("of a detached volume move too: it has no robustness", async () => {
    longhorn();
    Object.assign(addLonghornVolume(cluster, "pvc-1", 10, [NAME]).status, { state: "detached", robustness: "unknown" });
    expect(await leave()).toMatchObject(left);
    expect(placesOf("pvc-1")).toHaveLength(1);
    expect(placesOf("pvc-1")).not.toContain(NAME);
  });

  it("that failed are not waited for, because they have nothing to copy", async () => {
    longhorn();
    addLonghornVolume(cluster, "pvc-1", 10, [FIRST, NAME, THIRD], { numberOfReplicas: 2 });
    const failed = longhornReplicas(cluster).find(({ spec }) => spec.nodeID === NAME)!;
    failed.spec.failedAt = "2026-01-01T00:00:00Z";
    cluster.longhorn = { stuckRebuilds: ["pvc-1"] };
    expect(await leave()).toMatchObject(left);
  });
});

describe("what Longhorn cannot move is refused before anything is touched", () => {
  const refused = async (why: string): Promise<void> => {
    const run = await leave();
    expect(run.output).toContain(
      `error: node-1-kept-leave: ${NAME} was not drained, because Longhorn cannot move its replicas of these volumes:\n` +
        `  - volume pvc-1 (60Gi, claim shop/data-pvc-1): ${why}\n`,
    );
    expect(run.output).toMatch(
      /^next: {2}add a node or a disk that takes replicas, or lower numberOfReplicas of these volumes, then pulumi up; or, to go on with fewer copies until there is room, set removal\.onBlocked: force, then pulumi up$/m,
    );
    expectUndisturbed(run);
  };
  const volume = (...on: string[]) => addLonghornVolume(cluster, "pvc-1", 60, on);

  it("no room on another disk", async () => {
    longhorn();
    volume(FIRST, NAME);
    addLonghornVolume(cluster, "pvc-2", 60, [THIRD]);
    await refused("no other node has room for it");
  });

  it("no room where Longhorn keeps a part of each disk free", async () => {
    longhorn();
    volume(FIRST, NAME).status.actualSize = 55 * 2 ** 30;
    set(cluster, "storage-minimal-available-percentage", "50");
    await refused("no other node has room for it");
  });

  it("more copies than other nodes", async () => {
    longhorn();
    volume(FIRST, NAME, THIRD);
    await refused("it has 3 replicas, each on a node of its own, and no other node takes one more");
  });

  it.each<[string, (node: LonghornNode) => void]>([
    ["takes no replicas", (node) => (node.spec.allowScheduling = false)],
    ["is not ready", (node) => (node.status.conditions[0]!.status = "False")],
    ["has no disk that takes replicas", (node) => (node.spec.disks["longhorn"]!.allowScheduling = false)],
    ["is leaving too", (node) => Object.assign(node.spec, { allowScheduling: false, evictionRequested: true })],
  ])("the only other node %s", async (_, change) => {
    longhorn();
    volume(FIRST, NAME);
    change(nodeOf(THIRD));
    await refused("it has 2 replicas, each on a node of its own, and no other node takes one more");
  });

  it("tags that no other node has", async () => {
    longhorn();
    volume(FIRST, NAME).spec["nodeSelector"] = ["fast"];
    nodeOf(FIRST).spec.tags = ["fast"];
    await refused("no other node has the tags that it asks for");
  });

  it.each([
    ["strict-local", { dataLocality: "strict-local" }, {}, "its data is strict-local, so Longhorn does not move it"],
    ["faulted", {}, { robustness: "faulted" }, "it is faulted, so Longhorn has nothing to copy"],
  ])("a volume that is %s", async (_, spec, status, why) => {
    longhorn();
    const made = volume(NAME);
    Object.assign(made.spec, spec);
    Object.assign(made.status, status);
    await refused(why);
  });

  it("two volumes, each of which would fit alone", async () => {
    longhorn();
    for (const name of ["pvc-1", "pvc-2"]) addLonghornVolume(cluster, name, 60, [FIRST, NAME]);
    const room = nodeOf(FIRST).status.diskStatus["longhorn"]!;
    room.storageMaximum = room.storageAvailable = 200 * 2 ** 30;
    const run = await leave();
    expect(run.output).toContain("  - volume pvc-2 (60Gi, claim shop/data-pvc-2): no other node has room for it\n");
    expect(run.output).not.toContain("volume pvc-1 (");
    expectUndisturbed(run);
  });

  it("but two copies on one node are fine where the volume or Longhorn allows it", async () => {
    longhorn();
    volume(FIRST, NAME, THIRD).spec["replicaSoftAntiAffinity"] = "enabled";
    const room = nodeOf(THIRD).status.diskStatus["longhorn"]!;
    room.storageMaximum = room.storageAvailable = 300 * 2 ** 30;
    world.policy({ EVICTION_TIMEOUT: "60" });
    // The double of the controllers knows no soft anti-affinity: that it was asked is enough.
    await leave();
    expect(patches()[0]).toBe(evict);
  });

  it("a word from the cluster that is no name of a claim is not shown", async () => {
    longhorn();
    const made = volume(FIRST, NAME, THIRD);
    made.status["kubernetesStatus"] = { namespace: "shop\nnext:  rm -rf /", pvcName: "$(reboot)" };
    const run = await leave();
    expect(run.output).toContain("  - volume pvc-1 (60Gi): it has 3 replicas");
    expect(run.output).not.toMatch(/reboot|rm -rf/);
  });
});

describe("what does not end", () => {
  it("is taken back after its time, with the names of what is left", async () => {
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
    // Once the cause is gone, the same again ends.
    cluster.longhorn = {};
    expect(await leave()).toMatchObject(left);
  });

  it("is taken back as it was: a node that took no replicas before takes none after", async () => {
    longhorn({ stuckRebuilds: ["pvc-1"] });
    addLonghornVolume(cluster, "pvc-1", 10, [FIRST, NAME]);
    nodeOf().spec.allowScheduling = false;
    expect((await leave()).code).toBe(1);
    expect(nodeOf().spec).toMatchObject({ allowScheduling: false, evictionRequested: false });
  });

  it("goes on with force if another node has all of it", async () => {
    longhorn({ stuckRebuilds: ["pvc-1"] });
    addLonghornVolume(cluster, "pvc-1", 10, [FIRST, NAME]);
    world.policy({ ON_BLOCKED: "force" });
    const run = await leave();
    expect(run).toMatchObject(left);
    expect(run.output).toContain("blocked: going on without the rest of Longhorn's replicas");
  });

  it("stops, with force too, if the node has the last copy; removal.onLocalData destroys it", async () => {
    longhorn({ stuckRebuilds: ["pvc-1"] });
    addLonghornVolume(cluster, "pvc-1", 10, [NAME]);
    world.policy({ ON_BLOCKED: "force" });
    const run = await leave();
    expect(run.output).toContain("no other node has all of these volumes of Longhorn:\n  - volume pvc-1 (10Gi");
    expect([run.code, nodeOf().spec.allowScheduling, note()]).toEqual([1, true, ""]);
    world.policy({ ON_BLOCKED: "force", ON_LOCAL_DATA: "delete" });
    expect(await leave()).toMatchObject(left);
  });

  it("with force, what cannot move at all is not waited for", async () => {
    longhorn();
    addLonghornVolume(cluster, "pvc-1", 60, [FIRST, NAME, THIRD]);
    addLonghornVolume(cluster, "pvc-2", 10, [FIRST, NAME]);
    world.policy({ ON_BLOCKED: "force" });
    let noted = "";
    world.meanwhile = (question) => void (noted ||= question.includes("?(@.spec.nodeID") ? note() : "");
    const run = await leave();
    expect(run).toMatchObject(left);
    // What moves is waited for until it is healthy.
    expect(noted.split("\n")).toContain("pvc-2");
    expect(run.output).toContain("have fewer copies without k3s-worker-02:\n  - volume pvc-1");
    expect(placesOf("pvc-2")).toEqual([FIRST, THIRD]);
  });

  it("is taken back too where the drain is blocked after the eviction", async () => {
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

  it("a volume that stays attached after the drain keeps the node", async () => {
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

describe("a removal that was cut off", () => {
  /** The first run dies at this question. */
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

  it("is taken back by the next one that is refused", async () => {
    longhorn();
    addLonghornVolume(cluster, "pvc-1", 10, [FIRST, NAME]);
    // With the only server nobody takes anything back.
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
    expect(run.output).toContain("so its replicas are not waited for: Longhorn makes them anew on other nodes");
    // Longhorn forgets only a node that takes no replicas.
    expect([patches(), nodeOf()]).toEqual([[evict], undefined]);
  });

  it("nor one whose Longhorn is dead", async () => {
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
    expect(run.output).toContain(`${NAME} ended while Longhorn moved its replicas`);
  });
});

it("two nodes that leave at the same time do not count on each other", async () => {
  longhorn();
  addLonghornVolume(cluster, "pvc-1", 10, [FIRST, NAME]);
  const runs = await Promise.all([leave(NAME), leave(FIRST)]);
  expect(runs.map(({ code }) => code).sort()).toEqual([0, 1]);
  expect(runs.find(({ code }) => code === 1)!.output).toContain("cannot move its replicas of these volumes");
});

it("the step that sees a node Ready takes back what a removal that did not end has left", async () => {
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

test("the objects of the double are Longhorn's, by its own schemas", () => {
  longhorn();
  addLonghornDisk(nodeOf(), "second", 20);
  addLonghornVolume(cluster, "pvc-1", 10, [FIRST, NAME]);
  const all = [...cluster.objects].filter(([resource]) => resource.endsWith(".longhorn.io"));
  expect(all.map(([, objects]) => objects.length)).toEqual([3, 1, 2, 3]);
  const problems = all.flatMap(([resource, objects]) => objects.flatMap((each) => longhornProblems(resource, each)));
  // A Setting's status is written by Longhorn later.
  expect(problems).toEqual([]);
  expect(longhornProblems("nodes.longhorn.io", { ...nodeOf(), spec: { ...nodeOf().spec, evict: true } })).toEqual([
    "nodes.longhorn.io/spec must NOT have additional properties",
  ]);
});
