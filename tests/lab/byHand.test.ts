import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

import { type Finished, Lab } from "../support/lab";

/*
 * What people did by hand on real containers, and data that only one node has: both are still there afterwards, by their
 * checksums. tests/engine/byHand.test.ts has the many settings, one by one.
 */

const lab = new Lab("by-hand");

const up = (...args: string[]): Promise<Finished> => lab.pulumi("up", "--yes", "--skip-preview", ...args);
const upOk = (...args: string[]): Promise<string> => lab.pulumiOk("up", "--yes", "--skip-preview", ...args);
/** Start time of the guest's init process. */
const started = (vmid: number): Promise<string> => lab.inGuest(vmid, "stat -c %y /proc/1");
const isSchedulable = async (node: string): Promise<boolean> =>
  (await lab.kubectl("get", "node", node, "-o", "jsonpath={.spec.unschedulable}")) !== "true";

beforeAll(async () => {
  await lab.down();
  await lab.up();
  await upOk();
}, 40 * 60_000);
afterAll(() => lab.down(), 120_000);

it("a mount point with a file in it survives a refresh, and its node runs on without a reboot", async () => {
  await lab.host("mkdir -p /srv/media && head -c 300000 /dev/urandom >/srv/media/film && chmod -R a+rX /srv/media");
  await lab.host(
    "pct set 102 --mp0 /srv/media,mp=/media && pct set 102 --tags 'k3s;nas' --cpulimit 2 && pct reboot 102",
  );
  const sum = (await lab.host("sha256sum </srv/media/film")).trim();
  await lab.inGuest(102, `until [ "$(sha256sum </media/film)" = "${sum}" ]; do sleep 0.2; done`);
  const [conf, boot] = [await lab.host("cat /etc/pve/lxc/102.conf"), await started(102)];
  for (const flags of [["--refresh"], []]) {
    const run = await lab.pulumiResult("up", "--yes", "--skip-preview", ...flags);
    expect([run.code, run.changes]).toEqual([0, {}]);
  }
  expect((await lab.inGuest(102, "sha256sum </media/film")).trim()).toBe(sum);
  expect([await lab.host("cat /etc/pve/lxc/102.conf"), await started(102)]).toEqual([conf, boot]);
}, 300_000);

describe("a worker with its own data", () => {
  let sum: string;
  let boot: string;
  beforeAll(async () => {
    await lab.inGuest(103, "mkdir -p /srv/volume && head -c 300000 /dev/urandom >/srv/volume/rows");
    sum = await lab.inGuest(103, "sha256sum </srv/volume/rows");
    boot = await started(103);
  }, 60_000);
  afterEach(async () => {
    expect([await lab.inGuest(103, "sha256sum </srv/volume/rows"), await started(103)]).toEqual([sum, boot]);
  }, 60_000);

  it("stays if the config has a wrong storage: alone that changes nothing, and a rebuild is refused before it begins", async () => {
    const key = "proxmox-k3s:cluster.pools.worker";
    await lab.configure("pools.worker.storage", "local-lmv");
    const slip = await lab.pulumiResult("up", "--yes", "--skip-preview");
    expect([slip.code, Object.keys(slip.changes).filter((name) => name.startsWith("k3s-"))]).toEqual([0, []]);

    await lab.configure("pools.worker.vmIds.from", "202");
    expect(await lab.pulumiOk("preview")).toContain("k3s-worker-02: drain and rebuild, for its VMID");
    const { code, stdout, stderr } = await up();
    expect(code).not.toBe(0);
    expect(stdout + stderr).toContain("the Proxmox host is not ready, so no machine was created:");
    expect(stdout + stderr).toContain("storage: there is no storage local-lmv on pve; existing storages: ");
    for (const node of ["k3s-worker-01", "k3s-worker-02"]) expect(await isSchedulable(node)).toBe(true);
    expect(await lab.host("cd /etc/pve/lxc && ls")).toBe("100.conf\n102.conf\n103.conf\n");

    await lab.configure("pools.worker.vmIds.from", "102");
    await lab.pulumiOk("config", "rm", "--path", `${key}.storage`);
    await upOk();
  }, 420_000);

  it("comes back after its Node was deleted, and another one after its K3s was stopped; afterwards nothing changes", async () => {
    await lab.kubectl("delete", "node", "k3s-worker-02");
    await lab.inGuest(102, "systemctl stop k3s-agent");
    const run = await lab.pulumiResult("up", "--yes", "--skip-preview");
    const steps = ["k3s-worker-01", "k3s-worker-02"].flatMap((name) => [`${name}-k3s`, `${name}-ready`]);
    expect([run.code, Object.keys(run.changes).sort()]).toEqual([0, steps]);
    for (const line of ["k3s-worker-01: its K3s does not run", "k3s-worker-02: its Node is missing"])
      expect(run.warnings.join("\n")).toContain(line);
    const ready = 'jsonpath={range .items[*]}{.status.conditions[?(@.type=="Ready")].status} {end}';
    expect((await lab.kubectl("get", "nodes", "-o", ready)).trim()).toBe("True True True");
    const next = await lab.pulumiResult("up", "--yes", "--skip-preview");
    expect([next.code, next.changes]).toEqual([0, {}]);
  }, 420_000);

  it("is put back into the state by one command after a refresh has lost it on another Proxmox VE node", async () => {
    const [here, there] = ["/etc/pve/nodes/pve/lxc/103.conf", "/etc/pve/nodes/pve2/lxc/103.conf"];
    await lab.host(`mkdir -p /etc/pve/nodes/pve2/lxc && mv ${here} ${there}`);
    const lost = await up("--refresh");
    expect(lost.code).not.toBe(0);
    expect(lost.stdout + lost.stderr).toContain(
      "bring it back: pct migrate 103 pve --restart on pve2; then npx proxmox-k3s recover",
    );
    await lab.host(`mv ${there} ${here}`);
    const recovered = await lab.cluster("recover", "--yes");
    expect([recovered.code, recovered.stderr]).toEqual([0, ""]);
    expect(recovered.stdout).toContain("- take guest 103 (k3s-worker-02) into the state again");
    await upOk("--refresh");
    const next = await lab.pulumiResult("up", "--yes", "--skip-preview");
    expect([next.code, next.changes]).toEqual([0, {}]);
  }, 420_000);
});

describe("a worker that the config removes", () => {
  beforeAll(() => lab.configure("pools.worker.count", "1"));

  it("is kept if its guest is protected and in HA, and the error comes before the drain", async () => {
    const sum = await lab.inGuest(103, "sha256sum </srv/volume/rows");
    await lab.host("pct set 103 --protection 1; mkdir -p /etc/pve/ha; printf 'ct: 103\\n' >/etc/pve/ha/resources.cfg");
    const run = await up();
    expect(run.code).not.toBe(0);
    expect(run.stdout + run.stderr).toContain("it is protected (pct set 103 --protection 0)");
    expect(run.stdout + run.stderr).toContain("(ha-manager remove ct:103)");
    expect(await isSchedulable("k3s-worker-02")).toBe(true);
    expect(await lab.inGuest(103, "sha256sum </srv/volume/rows")).toBe(sum);
    await lab.host("pct set 103 --protection 0; rm /etc/pve/ha/resources.cfg");
  }, 180_000);

  it("is kept if it has a volume that no other node has, until the config allows its loss", async () => {
    const sum = await lab.inGuest(103, "sha256sum </srv/volume/rows");
    const file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), "by-hand-")), "volume.json");
    fs.writeFileSync(file, JSON.stringify(volume()));
    await lab.kubectl("apply", "-f", file);
    fs.rmSync(path.dirname(file), { recursive: true });

    const run = await up();
    expect(run.code).not.toBe(0);
    expect(run.stdout + run.stderr).toContain("  - claim default/rows (1Gi, volume rows), used by default/reader");
    expect(await isSchedulable("k3s-worker-02")).toBe(true);
    expect(await lab.inGuest(103, "sha256sum </srv/volume/rows")).toBe(sum);

    await lab.configure("removal.onLocalData", "delete");
    await upOk();
    expect(await lab.host("ls /etc/pve/lxc/103.conf 2>/dev/null || true")).toBe("");
  }, 420_000);
});

/** A volume on the second worker's disk, its claim, and a pod that uses it. */
function volume(): object {
  const spec = { accessModes: ["ReadWriteOnce"], storageClassName: "" };
  const expression = { key: "kubernetes.io/hostname", operator: "In", values: ["k3s-worker-02"] };
  const required = { nodeSelectorTerms: [{ matchExpressions: [expression] }] };
  const items = [
    {
      ...{ apiVersion: "v1", kind: "PersistentVolume", metadata: { name: "rows" } },
      spec: {
        ...{ ...spec, capacity: { storage: "1Gi" }, hostPath: { path: "/srv/volume" } },
        ...{ nodeAffinity: { required }, claimRef: { namespace: "default", name: "rows" } },
      },
    },
    {
      ...{ apiVersion: "v1", kind: "PersistentVolumeClaim", metadata: { name: "rows", namespace: "default" } },
      spec: { ...spec, volumeName: "rows", resources: { requests: { storage: "1Gi" } } },
    },
    {
      ...{ apiVersion: "v1", kind: "Pod", metadata: { name: "reader", namespace: "default" } },
      spec: {
        // The pod does not have to run: the API knows that it uses the claim.
        nodeSelector: { "example.com/nowhere": "yes" },
        containers: [{ name: "reader", image: "busybox" }],
        volumes: [{ name: "rows", persistentVolumeClaim: { claimName: "rows" } }],
      },
    },
  ];
  return { apiVersion: "v1", kind: "List", items };
}
