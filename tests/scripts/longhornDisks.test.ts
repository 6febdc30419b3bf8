import {
  addLonghornDisk,
  addLonghornNode,
  addLonghornVolume,
  installLonghorn,
  type LonghornFaults,
  longhornReplicas,
} from "../support/doubles/longhornController";
import { NODES, ScriptedLonghorn } from "../support/scriptedLonghorn";

/*
 * What the step that waits for a node to be Ready does with the disks that the config gives to Longhorn, or takes from it.
 * storage.test.ts has the disks on the node itself.
 */

const [, FIRST, NAME, THIRD] = NODES;
const CONFIG = "node.longhorn.io/default-disks-config";
const LABEL = "node.longhorn.io/create-default-disk";

let world: ScriptedLonghorn;
beforeEach(async () => (world = await new ScriptedLonghorn().open()));
afterEach(() => world.close());

const annotation = (): unknown => JSON.parse(world.cluster.nodes.get(NAME)!.annotations[CONFIG] ?? "null");
const disk = (serial: string) => ({ name: serial, path: `/mnt/longhorn/${serial}`, allowScheduling: true });
const given = (): string => world.note(`nodes/${NAME}.longhorn`);
const unmounted = (): string[] =>
  world.shells.flatMap((shell) => (shell.includes("umount") ? shell.split("\n", 1) : []));
/** Three nodes, each with a disk `longhorn` of 100 GiB. */
function longhorn(faults: LonghornFaults = {}): void {
  installLonghorn(world.cluster, faults);
  for (const name of [FIRST, NAME, THIRD]) addLonghornNode(world.cluster, name, 100);
}

describe("disks that Longhorn gets", () => {
  it("are in the annotation that Longhorn reads once, before Longhorn is installed", async () => {
    expect((await world.ready(NAME, "data 50\nlonghorn 100", `${LABEL}=config`)).code).toBe(0);
    expect(annotation()).toEqual([disk("data"), disk("longhorn")]);
    expect(world.cluster.nodes.get(NAME)!.labels[LABEL]).toBe("config");
    expect([given(), world.patches]).toEqual(["data\nlonghorn\n", []]);
  });

  it("are left to Longhorn while its Node has none", async () => {
    installLonghorn(world.cluster);
    const node = addLonghornNode(world.cluster, NAME, 100);
    node.spec.disks = {};
    node.status.diskStatus = {};
    expect((await world.ready(NAME, "longhorn 100")).code).toBe(0);
    expect(world.patches).toEqual([]);
  });

  it("are added once to a Node that has others", async () => {
    longhorn();
    expect((await world.ready(NAME, "longhorn 100\nsecond 20")).code).toBe(0);
    const path = "/mnt/longhorn/second";
    expect(world.nodeOf(NAME).spec.disks["second"]).toMatchObject({
      path,
      diskType: "filesystem",
      allowScheduling: true,
    });
    expect(world.patches).toHaveLength(1);
    expect((await world.ready(NAME, "longhorn 100\nsecond 20")).code).toBe(0);
    expect(world.patches).toHaveLength(1);
  });

  it("are recognized by their path, also with another name", async () => {
    longhorn();
    const { spec, status } = world.nodeOf(NAME);
    spec.disks = { "default-disk-1": spec.disks["longhorn"]! };
    status.diskStatus = { "default-disk-1": status.diskStatus["longhorn"]! };
    expect((await world.ready(NAME, "longhorn 100")).code).toBe(0);
    expect(world.patches).toEqual([]);
  });

  it("do not replace another disk with their name", async () => {
    longhorn();
    world.nodeOf(NAME).spec.disks["longhorn"]!.path = "/var/lib/longhorn";
    const run = await world.ready(NAME, "longhorn 100");
    expect([run.code, run.output]).toEqual([
      1,
      expect.stringContaining(`Longhorn has another disk with the name longhorn on ${NAME}`),
    ]);
    expect(run.output).toMatch(/^next: .*rename that disk in Longhorn, then pulumi up$/m);
    expect(world.patches).toEqual([]);
  });
});

it("a node without such disks causes no request about Longhorn", async () => {
  expect((await world.ready(NAME)).code).toBe(0);
  expect(world.asked.filter((question) => /longhorn|crd/.test(question))).toEqual([]);
});

describe("a disk that the config no longer gives to Longhorn", () => {
  beforeEach(async () => {
    expect((await world.ready(NAME, "longhorn 100\nsecond 50")).code).toBe(0);
    world.asked.length = 0;
  });

  it("is only unmounted if there is no Longhorn, or Longhorn does not have the disk", async () => {
    expect((await world.ready(NAME, "longhorn 100")).code).toBe(0);
    longhorn();
    expect((await world.ready(NAME)).code).toBe(0);
    expect([unmounted(), given(), annotation()]).toEqual([["second", "longhorn"], "", null]);
  });

  it("loses its replicas to other disks first; the other disks and the node stay", async () => {
    longhorn();
    addLonghornDisk(world.nodeOf(NAME), "second", 50);
    addLonghornVolume(world.cluster, "pvc-1", 10, [NAME]);
    addLonghornVolume(world.cluster, "pvc-2", 10, [NAME, THIRD]);
    const run = await world.ready(NAME, "second 50");
    expect([run.code, run.output]).toEqual([0, expect.stringContaining("Longhorn no longer has the disk longhorn")]);
    expect(Object.keys(world.nodeOf(NAME).spec.disks)).toEqual(["second"]);
    expect(world.nodeOf(NAME).spec).toMatchObject({ allowScheduling: true, evictionRequested: false });
    const uuid = `uuid-of-${NAME}-longhorn`;
    expect(longhornReplicas(world.cluster).filter(({ spec }) => spec.diskID === uuid)).toEqual([]);
    expect([unmounted(), given(), world.note(`evicting/${NAME}.disks`)]).toEqual([["longhorn"], "second\n", ""]);
    // The replicas moved before it was unmounted, and the labels changed after that.
    expect(world.cluster.nodes.has(NAME)).toBe(true);
  });

  it("stays if there is no room, and nothing changes", async () => {
    longhorn();
    addLonghornVolume(world.cluster, "pvc-1", 60, [FIRST, NAME, THIRD]);
    const run = await world.ready(NAME, "second 50");
    expect(run.output).toContain(
      `Longhorn keeps the disk longhorn of ${NAME}, because it cannot move its replicas of these volumes:\n  - volume pvc-1 (60Gi, claim shop/data-pvc-1): it has 3 replicas`,
    );
    expect(run.output).toMatch(/^next: .*or set longhorn: true for this disk again$/m);
    expect([run.code, world.patches, unmounted(), given()]).toEqual([1, [], [], "longhorn\nsecond\n"]);
    expect(world.nodeOf(NAME).spec.disks["longhorn"]).toMatchObject({
      allowScheduling: true,
      evictionRequested: false,
    });
    // Back in the config, the disk is as it was.
    expect((await world.ready(NAME, "longhorn 100\nsecond 50")).code).toBe(0);
  });

  it("takes replicas again if the copies do not finish in time", async () => {
    longhorn({ stuckRebuilds: ["pvc-1"] });
    addLonghornVolume(world.cluster, "pvc-1", 10, [FIRST, NAME]);
    const run = await world.ready(NAME, "second 50");
    expect(run.output).toContain(
      `Longhorn did not move the replicas from the disk longhorn of ${NAME} within 120 s; it takes replicas again. Not moved, or not healthy:\n  - volume pvc-1\n`,
    );
    expect(world.nodeOf(NAME).spec.disks["longhorn"]).toMatchObject({
      allowScheduling: true,
      evictionRequested: false,
    });
    expect([run.code, unmounted(), world.note(`evicting/${NAME}.disks`)]).toEqual([1, [], ""]);
    world.cluster.longhorn = {};
    expect((await world.ready(NAME, "second 50")).code).toBe(0);
    expect(unmounted()).toEqual(["longhorn"]);
  });

  it("that is in use stays Longhorn's until it can be unmounted", async () => {
    longhorn();
    world.endsWell = (shell) => !shell.includes("umount");
    const run = await world.ready(NAME, "second 50");
    expect(run.output).toContain(`the disk longhorn of ${NAME} could not be unmounted`);
    expect(run.output).toMatch(
      /^next: .*pct exec 102 -- fuser -vm \/mnt\/longhorn\/longhorn on the Proxmox host, then pulumi up$/m,
    );
    expect([run.code, given()]).toEqual([1, "longhorn\nsecond\n"]);
    world.endsWell = () => true;
    expect((await world.ready(NAME, "second 50")).code).toBe(0);
    expect(given()).toBe("second\n");
  });

  it("is removed, or kept as it was, by the next run after one that was interrupted", async () => {
    longhorn({ stuckRebuilds: ["pvc-1"] });
    addLonghornVolume(world.cluster, "pvc-1", 10, [FIRST, NAME]);
    let looks = 0;
    world.meanwhile = (question) => {
      // The only server goes down while it waits.
      if (question.includes("?(@.spec.nodeID") && ++looks === 2) world.stopped.add(100);
    };
    expect((await world.ready(NAME, "second 50")).code).toBe(1);
    world.stopped.clear();
    world.meanwhile = () => {};
    const evicting = { allowScheduling: false, evictionRequested: true };
    expect(world.nodeOf(NAME).spec.disks["longhorn"]).toMatchObject(evicting);
    expect(world.note(`evicting/${NAME}.disks`)).toBe("longhorn-system longhorn\n");
    // An `up` notices it, and runs the step again.
    const { outcome } = await world.status();
    expect(outcome).toContain(`leaving\t${NAME}`);
    expect((await world.ready(NAME, "longhorn 100\nsecond 50")).code).toBe(0);
    expect(world.nodeOf(NAME).spec.disks["longhorn"]).toMatchObject({
      allowScheduling: true,
      evictionRequested: false,
    });
    expect(world.note(`evicting/${NAME}.disks`)).toBe("");
  });
});
