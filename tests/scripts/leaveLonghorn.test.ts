import {
  addLonghornDisk,
  addLonghornNode,
  addLonghornVolume,
  installLonghorn,
  type LonghornNode,
  longhornReplicas,
  longhornVolumes,
  set,
} from "../support/doubles/longhornController";
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
import { longhornProblems } from "../support/longhornSchemas";

/* Longhorn in a removal, with the real script: what moves before the drain, and what is refused before anything changes. */

it("makes one more request in a cluster without Longhorn, and changes nothing else", async () => {
  expect(await leave()).toMatchObject(left);
  expect(world.asked.filter((question) => /longhorn|crd|volumeattachments/.test(question))).toEqual([
    "get crd nodes.longhorn.io --ignore-not-found -o name",
  ]);
});

it("does not wait if Longhorn does not know the node", async () => {
  installLonghorn(cluster);
  addLonghornNode(cluster, FIRST, 100);
  expect(await leave()).toMatchObject(left);
  expect(patches()).toEqual([]);
});

describe("replicas", () => {
  it("move before the drain, by one change of the node, and the volumes are healthy after that", async () => {
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

  it("of a detached volume move too, although it has no robustness", async () => {
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

describe("what Longhorn cannot move is refused before anything changes", () => {
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

  it("no room because Longhorn keeps a part of each disk free", async () => {
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

  it("with tags that no other node has", async () => {
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

  it("two volumes that fit one by one, but not together", async () => {
    longhorn();
    for (const name of ["pvc-1", "pvc-2"]) addLonghornVolume(cluster, name, 60, [FIRST, NAME]);
    const room = nodeOf(FIRST).status.diskStatus["longhorn"]!;
    room.storageMaximum = room.storageAvailable = 200 * 2 ** 30;
    const run = await leave();
    expect(run.output).toContain("  - volume pvc-2 (60Gi, claim shop/data-pvc-2): no other node has room for it\n");
    expect(run.output).not.toContain("volume pvc-1 (");
    expectUndisturbed(run);
  });

  it("but two copies on one node are fine if the volume or Longhorn allows it", async () => {
    longhorn();
    volume(FIRST, NAME, THIRD).spec["replicaSoftAntiAffinity"] = "enabled";
    const room = nodeOf(THIRD).status.diskStatus["longhorn"]!;
    room.storageMaximum = room.storageAvailable = 300 * 2 ** 30;
    world.policy({ EVICTION_TIMEOUT: "60" });
    // The double of the controllers has no soft anti-affinity: it is enough that the change was requested.
    await leave();
    expect(patches()[0]).toBe(evict);
  });

  it("an invalid name of a claim from the cluster is not shown", async () => {
    longhorn();
    const made = volume(FIRST, NAME, THIRD);
    made.status["kubernetesStatus"] = { namespace: "shop\nnext:  rm -rf /", pvcName: "$(reboot)" };
    const run = await leave();
    expect(run.output).toContain("  - volume pvc-1 (60Gi): it has 3 replicas");
    expect(run.output).not.toMatch(/reboot|rm -rf/);
  });
});

test("the double's objects match Longhorn's own schemas", () => {
  longhorn();
  addLonghornDisk(nodeOf(), "second", 20);
  addLonghornVolume(cluster, "pvc-1", 10, [FIRST, NAME]);
  const all = [...cluster.objects].filter(([resource]) => resource.endsWith(".longhorn.io"));
  expect(all.map(([, objects]) => objects.length)).toEqual([3, 1, 2, 3]);
  const problems = all.flatMap(([resource, objects]) => objects.flatMap((each) => longhornProblems(resource, each)));
  // Longhorn writes a Setting's status later.
  expect(problems).toEqual([]);
  expect(longhornProblems("nodes.longhorn.io", { ...nodeOf(), spec: { ...nodeOf().spec, evict: true } })).toEqual([
    "nodes.longhorn.io/spec must NOT have additional properties",
  ]);
});
