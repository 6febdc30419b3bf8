import * as fs from "node:fs";
import type { PveClient } from "../../support/httpClient";
import { SimulatedNode, vmFields } from "../../support/pveNode";
import { makeTemplate, startVmNode, vmClient } from "../../support/vmNode";

let pve: SimulatedNode;
let client: PveClient;
beforeEach(async () => {
  pve = await startVmNode();
  client = vmClient(pve);
});
afterEach(() => pve.stop());

const qemu = "/nodes/pve/qemu";
const clonePath = `${qemu}/9000/clone`;
const vmids = () => fs.readdirSync(`${pve.etcPve}/qemu-server`).sort();

test("a template's disks become base images, and it cannot be started", async () => {
  await makeTemplate(client, 9000);
  expect(pve.vmConf(9000)).toContain("scsi0: local-lvm:base-9000-disk-0,discard=on,iothread=1,size=2G\n");
  expect(pve.vmConf(9000)).toContain("template: 1\n");
  expect([...pve.vms.disks.keys()]).toEqual(["local-lvm:base-9000-disk-0"]);
  expect(await client.run(client.post(`${qemu}/9000/status/start`))).toBe("you can't start a vm if it's a template");
  expect(await client.post(`${qemu}/9000/template`)).toMatchObject({
    reason: "you can't convert a template to a template",
  });
});

test.each([
  ["linked", { full: 0 }, "linked clone of drive scsi0 (local-lvm:base-9000-disk-0)"],
  ["full", { full: 1, storage: "local-lvm" }, "full clone of drive scsi0 (local-lvm:base-9000-disk-0)"],
])(
  "a %s clone has everything of its source except its name, its disks, its addresses and its ids",
  async (_, how, line) => {
    await makeTemplate(client, 9000, { description: "golden", tags: "golden" });
    await (await pve.root()).post("/pools", { poolid: "cluster" });
    const upid = (await client.post(clonePath, { newid: 101, name: "k3s-101", pool: "cluster", ...how })).body
      .data as string;
    expect(upid).toMatch(/:qmclone:9000:vms@pve!pulumi:$/);
    expect(await client.task(upid)).toBe("OK");
    expect(await client.log(upid)).toEqual([
      "creating a clone of VM 9000 with ID 101",
      "create full clone of drive ide2 (local-lvm:vm-9000-cloudinit)",
      `create ${line}`,
      "TASK OK",
    ]);
    const own = /^(net0: virtio=|smbios1: uuid=|vmgenid: |name: )[^,\n]+/gm;
    const [golden, copy] = [pve.vmConf(9000), pve.vmConf(101)];
    expect(copy.replace(own, "$1")).toBe(
      golden
        .replace(own, "$1")
        .replace("template: 1\n", "")
        .replace("base-9000-disk-0", "vm-101-disk-0")
        .replace("vm-9000-cloudinit", "vm-101-cloudinit"),
    );
    for (const id of golden.match(own)!) expect(copy).not.toContain(id);
    expect(copy).toContain("name: k3s-101\n");
    expect(pve.vms.disks.get("local-lvm:vm-101-disk-0")).toMatchObject({
      from: "local-lvm:base-9000-disk-0",
      linked: how.full === 0,
    });
    const members = (await (await pve.root()).get("/pools", { poolid: "cluster" })).body.data[0].members;
    expect(members).toMatchObject([{ vmid: 101 }]);
  },
);

test("linked clones in files are named after their base, which cannot be destroyed while they exist", async () => {
  const scsi0 = "file=local:0,import-from=local:import/debian-12.qcow2,format=qcow2";
  await makeTemplate(client, 9000, { scsi0 });
  await client.run(client.post(clonePath, { newid: 101, full: 0 }));
  const base = "local:9000/base-9000-disk-0.qcow2";
  expect(pve.vmConf(101)).toContain(`scsi0: ${base}/101/vm-101-disk-0.qcow2,size=2G\n`);
  expect(pve.vmConf(101)).toContain("name: Copy-of-VM-golden\n");
  expect(await client.run(client.delete(`${qemu}/9000`))).toBe(
    `base volume '${base}' is still in use by linked cloned`,
  );
  await client.run(client.delete(`${qemu}/101`));
  expect(await client.run(client.delete(`${qemu}/9000`))).toBe("OK");
});

test("clones of one template run at the same time; a locked template refuses them", async () => {
  await makeTemplate(client, 9000);
  const clones = await Promise.all(
    [101, 102, 103].map((newid) => client.run(client.post(clonePath, { newid, full: 1 }))),
  );
  expect(clones).toEqual(["OK", "OK", "OK"]);
  pve.faults.set({ kind: "lock", guest: 9000 });
  expect(await client.post(clonePath, { newid: 104 })).toMatchObject({ status: 500, reason: "VM is locked (backup)" });
});

test("a refused clone leaves no guest", async () => {
  await makeTemplate(client, 9000);
  await client.run(client.post(qemu, vmFields(110)));
  const refused: [path: string, fields: Record<string, string | number>, status: number, reason: string][] = [
    [clonePath, { newid: 110 }, 500, "unable to create VM 110: config file already exists"],
    [clonePath, { newid: 101, pool: "none" }, 403, "Permission check failed (pool 'none' does not exist)"],
    [clonePath, { newid: 101, target: "other" }, 500, "no such cluster node 'other'"],
    [clonePath, { newid: 101, snapname: "before" }, 500, "snapshot 'before' does not exist"],
    [
      clonePath,
      { newid: 101, full: 0, storage: "local-lvm" },
      500,
      "parameter 'storage' not allowed for linked clones",
    ],
    [
      `${qemu}/110/clone`,
      { newid: 101, full: 0 },
      500,
      "Linked clone feature is not supported for 'local-lvm:vm-110-disk-0' (scsi0)",
    ],
    [`${qemu}/109/clone`, { newid: 101 }, 500, "Configuration file 'nodes/pve/qemu-server/109.conf' does not exist"],
  ];
  for (const [path, fields, status, reason] of refused)
    expect(await client.post(path, fields)).toMatchObject({ status, reason });
  expect(await pve.token().post(clonePath, { newid: 101 })).toMatchObject({
    reason: "Permission check failed (/vms/9000, VM.Clone)",
  });
  expect(vmids()).toEqual(["110.conf", "9000.conf"]);
});

describe("a clone that is interrupted", () => {
  beforeEach(() => makeTemplate(client, 9000));

  test("by a failure leaves nothing", async () => {
    pve.faults.set({ kind: "task-fail", task: "qmclone", guest: 101, text: "out of space" });
    expect(await client.run(client.post(clonePath, { newid: 101 }))).toBe("clone failed: out of space");
    expect(vmids()).toEqual(["9000.conf"]);
    expect([...pve.vms.disks.keys()]).toEqual(["local-lvm:base-9000-disk-0"]);
  });

  test("by the death of its worker leaves a locked, incomplete guest; the template can be cloned again", async () => {
    pve.faults.set({ kind: "task-lost", task: "qmclone", guest: 101, count: 1 });
    expect(await client.run(client.post(clonePath, { newid: 101 }))).toBe("unexpected status");
    expect(pve.vmConf(101)).toBe("lock: clone\n");
    expect(await client.run(client.post(`${qemu}/101/status/start`))).toBe("VM is locked (clone)");
    expect(await client.run(client.delete(`${qemu}/101`))).toBe("VM is locked (clone)");
    expect(await client.run(client.post(clonePath, { newid: 102 }))).toBe("OK");
  });
});

test("an interrupted create leaves a locked, incomplete guest", async () => {
  pve.faults.set({ kind: "task-lost", task: "qmcreate", count: 1 });
  expect(await client.run(client.post(qemu, vmFields(101)))).toBe("unexpected status");
  expect(pve.vmConf(101)).toBe("lock: create\n");
  const root = await pve.root();
  expect(await root.run(root.delete(`${qemu}/101`, { skiplock: 1 }))).toBe("OK");
});
