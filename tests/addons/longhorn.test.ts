import { renderCommand, renderStdin } from "../../remote/script";
import { requestsBetween } from "../../lab/demo/requests";
import { findLab } from "../../lab/lab";
import { merged } from "../support/doubles/kubectl";
import {
  addLonghornVolume,
  admitLonghornNode,
  installLonghorn,
  type LonghornNode,
  longhornNodes,
  longhornVolume,
  longhornVolumes,
  type LonghornWorld,
  NAMESPACE,
  needNode,
  placesOf,
  removeLonghornVolume,
  set,
} from "../support/doubles/longhornController";
import { DISK_CONFIG, DISK_LABEL } from "../support/doubles/longhornNodes";
import { type LonghornLook, LonghornOnCluster } from "../support/doubles/longhornOnCluster";
import { DEAD_WEBHOOK, WEBHOOK } from "../support/doubles/longhornWebhook";
import { eventually, finish, Lab } from "../support/lab";
import { longhornCrds } from "../support/longhornSchemas";
import { timed } from "../support/timed";

/*
 * Nodes that join and leave by `pulumi up` in a cluster with Longhorn. The API server and Longhorn's CRDs are real, so they check each
 * object and each patch. Longhorn's controllers and its webhook are doubles: no data moves, and disks are sizes only. The tests build on
 * each other; the first failure is the one to read.
 */

const lab = new Lab("longhorn");
const [ONE, TWO, THREE] = ["k3s-worker-01", "k3s-worker-02", "k3s-worker-03"] as const;
const VMIDS = { [ONE]: 102, [TWO]: 103, [THREE]: 104 };
const DISK = "default-disk-0";

let longhorn: LonghornOnCluster;

const workers = (count: number): void => lab.edit(({ pools }) => (pools.worker.count = count));
const bound = (time: string): void => lab.edit((cluster) => (cluster.removal.evictionTimeout = time));
const up = (what: string): Promise<string> => timed(what, () => lab.pulumiOk("up", "--yes", "--skip-preview"));
/** The errors of an `up` that must fail. */
async function refused(what: string): Promise<string> {
  const { code, stdout, stderr } = await timed(what, () => lab.pulumi("up", "--yes", "--skip-preview"));
  expect(code).not.toBe(0);
  return stdout + stderr;
}

const ask = async <T>(question: (world: LonghornWorld) => T): Promise<T> => question(await longhorn.world());
const specOf = (name: string): Promise<LonghornNode["spec"]> => ask((world) => needNode(world, name).spec);
const known = (): Promise<string[]> =>
  ask((world) =>
    longhornNodes(world)
      .map(({ metadata }) => metadata.name)
      .sort(),
  );
const healthy = (): Promise<boolean> =>
  eventually(60, () => ask((world) => longhornVolumes(world).every(({ status }) => status.robustness === "healthy")));
const changed = (of: keyof LonghornLook, name: string): LonghornLook[] =>
  longhorn.looks.filter((look) => look[of].includes(name));

async function apply(...objects: object[]): Promise<void> {
  const list = JSON.stringify({ apiVersion: "v1", kind: "List", items: objects });
  const { code, stderr } = await finish("kubectl", ["apply", "--server-side", "-f", "-"], lab.environment, list);
  if (code !== 0) throw new Error(stderr);
}
const patch = (name: string, spec: object) => {
  const args = ["-n", NAMESPACE, "patch", "nodes.longhorn.io", name, "--type=merge", "--dry-run=server"];
  return finish("kubectl", [...args, "-p", JSON.stringify({ spec })], lab.environment);
};
/** Waits until the API server gives this answer to a change of a node. */
const answers = (spec: object, word: string): Promise<boolean> =>
  eventually(60, async () => (await patch(ONE, spec)).stderr.includes(word));
const judges = (): Promise<boolean> => answers({ evictionRequested: true }, "need to disable scheduling");

beforeAll(async () => {
  await lab.down();
  await lab.up();
  lab.edit((cluster) => {
    // The suite may get little CPU time on a busy machine.
    cluster.k3s.startTimeout = "10m";
    cluster.pools.worker.count = 3;
  });
  await up("a server and three workers");
  await lab.kubectl("apply", "-f", "lab/demo/hello.yaml");
  const crds = longhornCrds();
  await apply(...crds, { apiVersion: "v1", kind: "Namespace", metadata: { name: NAMESPACE } }, ...WEBHOOK);
  await lab.kubectl("wait", "--for=condition=Established", "crd", "--all", "--timeout=60s");
  longhorn = new LonghornOnCluster(lab.environment, 100);
  await longhorn.open();
  await longhorn.change(installLonghorn);
  longhorn.start();
  await lab.kubectl("rollout", "status", "deployment/hello", "--timeout=180s");
}, 60 * 60_000);
afterAll(async () => {
  await Promise.resolve(longhorn?.close()).finally(() => lab.down());
}, 120_000);

jest.setTimeout(600_000);

describe("the doubles", () => {
  it("create a Node of Longhorn for each worker, and none for the server, whose taint keeps Longhorn away", async () => {
    await eventually(60, async () => (await known()).length >= 3);
    expect(await known()).toEqual([ONE, TWO, THREE]);
    expect(Object.keys((await specOf(ONE)).disks)).toEqual([DISK]);
  });

  const out = { allowScheduling: false, evictionRequested: true };
  it.each([
    ["an eviction while the node takes replicas", { evictionRequested: true }, "need to disable scheduling"],
    ["an eviction that turns scheduling off", out, ""],
    ["the same for a disk", { disks: { [DISK]: { evictionRequested: true } } }, "need to disable scheduling"],
    ["the same for a disk, with scheduling off", { disks: { [DISK]: out } }, ""],
    ["the removal of a disk that takes replicas", { disks: { [DISK]: null } }, "Please disable the disk"],
    ["tags", { tags: ["fast"] }, ""],
    ["a string instead of a boolean", { allowScheduling: "no" }, "nvalid"],
  ])("give the same verdict, as rules and on the API server: %s", async (_, spec, refusal) => {
    await judges();
    const { code, stderr } = await patch(ONE, spec);
    expect([code, stderr]).toEqual([refusal === "" ? 0 : 1, expect.stringContaining(refusal)]);
    const before = await ask((world) => needNode(world, ONE));
    const judged = () => admitLonghornNode(before, merged(structuredClone(before), { spec }) as LonghornNode);
    if (refusal === "") expect(judged).not.toThrow();
    else expect(judged).toThrow(refusal);
  });
});

describe("a worker that leaves", () => {
  it("does not change while there is no room for its replicas, and the volumes are named", async () => {
    await longhorn.change((world) => {
      addLonghornVolume(world, "pvc-1", 10, [ONE, THREE]);
      addLonghornVolume(world, "pvc-2", 45, [TWO]);
      addLonghornVolume(world, "pvc-3", 10, [ONE, TWO, THREE]);
      addLonghornVolume(world, "pvc-4", 70, [ONE, THREE]);
    });
    workers(2);
    longhorn.forget();
    const said = await refused("a removal without room");
    expect(said).toContain(`${THREE} was not drained, because Longhorn cannot move its replicas of these volumes:`);
    expect(said).toContain("- volume pvc-4 (70Gi, claim shop/data-pvc-4): no other node has room for it");
    expect(said).toContain(
      "- volume pvc-3 (10Gi, claim shop/data-pvc-3): it has 3 replicas, each on a node of its own",
    );
    expect(said).not.toContain("volume pvc-1");
    expect(said).toContain("add a node or a disk that takes replicas, or lower numberOfReplicas of these volumes");
    expect(longhorn.looks.length).toBeGreaterThan(5);
    expect([...changed("cordoned", THREE), ...changed("emptied", THREE)]).toEqual([]);
    expect(changed("takePods", THREE)).toHaveLength(longhorn.looks.length);
    expect(await ask((world) => ["pvc-1", "pvc-3", "pvc-4"].map((name) => placesOf(world, name)))).toEqual([
      [ONE, THREE],
      [ONE, TWO, THREE],
      [ONE, THREE],
    ]);
  });

  it("takes replicas again, and says what to do, if Longhorn does not move them in time", async () => {
    // As the error has said: fewer copies of one volume, and another one deleted.
    await longhorn.change((world) => {
      longhornVolume(world, "pvc-3").spec.numberOfReplicas = 2;
      removeLonghornVolume(world, "pvc-2");
    });
    longhorn.faults = { stuckRebuilds: ["pvc-1"] };
    bound("20s");
    longhorn.forget();
    const said = await refused("a removal that is stuck");
    expect(said).toContain(
      `Longhorn did not move the replicas of ${THREE} within 20 s; it takes replicas again and keeps its machine.`,
    );
    expect(said).toMatch(/Not moved, or not healthy:\n\s*- volume pvc-1\n\s*next:/);
    expect(said).toContain("give it more time with removal.evictionTimeout, then pulumi up");
    expect([changed("cordoned", THREE), changed("takePods", THREE).length]).toEqual([[], longhorn.looks.length]);
    expect(changed("emptied", THREE).length).toBeGreaterThan(10);
    expect(await specOf(THREE)).toMatchObject({ allowScheduling: true, evictionRequested: false });
  });

  it("leaves once there is room: its replicas move, the volumes are healthy, and it is cordoned only then", async () => {
    longhorn.faults = {};
    bound("10m");
    await longhorn.change((world) => addLonghornVolume(world, "pvc-5", 5, [THREE]));
    await healthy();
    longhorn.forget();
    await up("a removal that moves replicas");
    const { looks } = longhorn;
    const begins = looks.findIndex(({ emptied }) => emptied.includes(THREE));
    const cordoned = looks.findIndex(({ cordoned: names }) => names.includes(THREE));
    const gone = looks.findIndex(({ takePods, cordoned: names }) => ![...takePods, ...names].includes(THREE));
    expect([begins > 0, cordoned > begins, gone > cordoned]).toEqual([true, true, true]);
    expect(looks[begins]!.places).toContain(THREE);
    // From its cordon on it has no replica, and no volume lacks a copy.
    expect(looks.slice(cordoned).filter(({ places, unwell }) => places.includes(THREE) || unwell.length > 0)).toEqual(
      [],
    );
    // Longhorn deletes its own Node after the Node of Kubernetes is deleted.
    expect(looks[gone]!.known).toContain(THREE);
    expect(await known()).toEqual([ONE, TWO]);
    expect(await ask((world) => ["pvc-1", "pvc-3", "pvc-4"].map((name) => placesOf(world, name)))).toEqual([
      [ONE, TWO],
      [ONE, TWO],
      [ONE, TWO],
    ]);
  });
});

it("a worker that joins gets a Node of Longhorn, which takes the disks of its annotation once", async () => {
  await longhorn.change((world) => set(world, "create-default-disk-labeled-nodes", "true"));
  workers(3);
  await up("a third worker joins");
  await eventually(60, async () => (await known()).includes(THREE));
  expect((await specOf(THREE)).disks).toEqual({});
  // The step for a virtual machine with a disk for Longhorn sets this; the config refuses it for containers.
  const disks = [{ name: "longhorn", path: "/mnt/longhorn/longhorn", allowScheduling: true }];
  await lab.kubectl("annotate", "node", THREE, `${DISK_CONFIG}=${JSON.stringify(disks)}`);
  await lab.kubectl("label", "node", THREE, `${DISK_LABEL}=config`);
  await eventually(60, async () => "longhorn" in (await specOf(THREE)).disks);
  expect(Object.keys((await specOf(THREE)).disks)).toEqual(["longhorn"]);
});

describe("a disk that the config no longer gives to Longhorn", () => {
  /** The step that waits for a node to be Ready, with disks that the config of a container cannot have. */
  async function ready(disks: string): Promise<string> {
    const id = (await lab.pulumiOk("stack", "output", "clusterId")).trim();
    const note = (kind: string) => lab.host(`cat /var/lib/proxmox-k3s/${id}/nodes/${ONE}.${kind}`);
    const [labels, taints] = [(await note("labels")).trim(), (await note("taints")).trim()];
    const { version } = findLab(lab.name)!.k3s;
    const own = {
      VMID: VMIDS[ONE],
      NAME: ONE,
      VERSION: version,
      LABELS: labels,
      TAINTS: taints,
      LONGHORN_DISKS: disks,
    };
    const command = renderCommand({
      ...{ task: "ready", action: "update", step: `${ONE}-disks`, title: "disks", lock: `${ONE}-disks` },
      ...{ boundSeconds: 300, args: { ...own, ETCD: "no", TIMEOUT: 240, REPAIRS: 0 } },
    });
    const text = command.replace(/exec sh -s$/, "") + renderStdin("ready", { inputs: { CLUSTER_ID: id } });
    return timed(`the step with the disks "${disks}"`, () => lab.hostWithInput("sh -s", text));
  }
  const isMounted = async (): Promise<boolean> =>
    (await lab.inGuest(VMIDS[ONE], "findmnt -nr -M /mnt/longhorn/second || :")) !== "";

  it("loses its replicas to others, is removed from Longhorn and unmounted, and the node stays", async () => {
    const mount = "mkdir -p /mnt/longhorn/second && mount -t tmpfs tmpfs /mnt/longhorn/second";
    await lab.inGuest(VMIDS[ONE], mount);
    await ready("second 50");
    await eventually(30, () => ask((world) => "second" in needNode(world, ONE).status.diskStatus));
    await longhorn.change((world) => addLonghornVolume(world, "pvc-7", 3, [`${ONE}/second`, TWO]));
    expect(await isMounted()).toBe(true);
    longhorn.forget();
    await ready("");
    expect(Object.keys((await specOf(ONE)).disks)).toEqual([DISK]);
    expect([await isMounted(), await ask((world) => placesOf(world, "pvc-7").length)]).toEqual([false, 2]);
    await healthy();
    expect([...changed("cordoned", ONE), ...changed("emptied", ONE)]).toEqual([]);
    expect(changed("takePods", ONE)).toHaveLength(longhorn.looks.length);
    expect(await specOf(ONE)).toMatchObject({ allowScheduling: true, evictionRequested: false });
  });
});

describe("while Longhorn is down, and its webhook refuses every change", () => {
  beforeAll(async () => {
    // The state that its controllers have left: a volume without a healthy copy.
    await longhorn.change((world) => (longhornVolume(world, "pvc-1").status.robustness = "faulted"));
    await longhorn.stop();
    await apply(DEAD_WEBHOOK);
    await answers({ tags: ["fast"] }, "failed calling webhook");
  });

  it("pods start and reach each other and their service; only pods with a new volume wait", async () => {
    await apply(
      {
        ...{ apiVersion: "storage.k8s.io/v1", kind: "StorageClass", metadata: { name: "longhorn" } },
        provisioner: "driver.longhorn.io",
      },
      {
        ...{ apiVersion: "v1", kind: "PersistentVolumeClaim", metadata: { name: "data", namespace: "default" } },
        spec: {
          ...{ storageClassName: "longhorn", accessModes: ["ReadWriteOnce"] },
          resources: { requests: { storage: "1Gi" } },
        },
      },
      {
        ...{ apiVersion: "v1", kind: "Pod" },
        metadata: { name: "waits", namespace: "default", labels: { app: "waits" } },
        spec: {
          containers: [{ name: "pod", image: "docker.io/library/lab-test:1", imagePullPolicy: "Never" }],
          volumes: [{ name: "data", persistentVolumeClaim: { claimName: "data" } }],
        },
      },
    );
    await lab.kubectl("scale", "deployment/hello", "--replicas=6");
    await lab.kubectl("rollout", "status", "deployment/hello", "--timeout=180s");
    expect(await requestsBetween([ONE, TWO], (...args) => lab.kubectl(...args))).toHaveLength(4);
    expect(await lab.kubectl("get", "pod", "waits", "-o", "jsonpath={.status.phase}")).toBe("Pending");
    await lab.kubectl("delete", "pod/waits", "pvc/data", "storageclass/longhorn");
  });

  it("status names the storage, and nothing else", async () => {
    const { code, stdout } = await lab.cluster("status", "--stack", lab.stack, "--json");
    const { findings } = JSON.parse(stdout) as { findings: { level: string; check: string; seen: string }[] };
    const unwell = findings.filter(({ level }) => level !== "ok").map(({ level, check, seen }) => [level, check, seen]);
    const words = "1 of 5 volumes are faulted, with no usable copy: pvc-1";
    expect([code, unwell]).toEqual([1, [["fail", "longhorn", words]]]);
  });

  it("a worker without replicas leaves; Longhorn's own Node stays", async () => {
    expect(
      await ask((world) => longhornVolumes(world).flatMap(({ metadata }) => placesOf(world, metadata.name))),
    ).not.toContain(THREE);
    workers(2);
    await up("a removal while Longhorn is down");
    expect((await lab.kubectl("get", "nodes", "-o", "name")).split("\n")).not.toContain(`node/${THREE}`);
    expect(await known()).toContain(THREE);
  });

  it("once Longhorn runs again, that node can return with the same name: it takes replicas as before", async () => {
    await lab.kubectl("delete", "validatingwebhookconfiguration", DEAD_WEBHOOK.metadata.name);
    await eventually(60, async () => (await patch(ONE, { tags: ["fast"] })).code === 0);
    await longhorn.change((world) => (longhornVolume(world, "pvc-1").status.robustness = "healthy"));
    longhorn.start();
    workers(3);
    await up("the worker joins again");
    expect(await specOf(THREE)).toMatchObject({ allowScheduling: true, evictionRequested: false });
    expect(await lab.host("find /var/lib/proxmox-k3s/*/evicting -type f")).toBe("");
  });
});

it("a dead worker is not waited for: Longhorn rebuilds its replicas", async () => {
  await longhorn.change((world) => addLonghornVolume(world, "pvc-6", 5, [ONE, THREE]));
  longhorn.faults = { stuckRebuilds: ["pvc-6"] };
  bound("20s");
  await lab.host(`pct stop ${VMIDS[THREE]}`);
  workers(2);
  await up("the removal of a dead worker");
  expect(await known()).toEqual([ONE, TWO]);
  longhorn.faults = {};
  await healthy();
  expect(await ask((world) => placesOf(world, "pvc-6"))).toEqual([ONE, TWO]);
});
