import * as fs from "node:fs";
import { REQUIRED_PRIVILEGES } from "../../plan/privileges";
import type { PveClient } from "../support/httpClient";
import { nodeFields, SimulatedNode } from "../support/pveNode";

let pve: SimulatedNode;
let root: PveClient;
/** Clone tasks wait for this before they begin. */
let gate: Promise<void> | undefined;
beforeEach(async () => {
  gate = undefined;
  pve = await SimulatedNode.start({ onTask: async ({ type }) => (type === "vzclone" ? gate : undefined) });
  root = await pve.root();
  await root.run(root.post("/nodes/pve/lxc", nodeFields(101, { tags: "a;b", features: "nesting=1,keyctl=1" })));
});
afterEach(() => pve.stop());

const path = "/nodes/pve/lxc/101/clone";
const vmids = () => fs.readdirSync(`${pve.etcPve}/lxc`).sort();
const mac = (vmid: number) => /hwaddr=([0-9A-F:]+)/.exec(pve.conf(vmid))?.[1];

test("a clone has everything of its source, raw lines too, except name, disk and MAC address", async () => {
  fs.appendFileSync(
    pve.confFile(101),
    "unused0: local-lvm:vm-101-disk-7\nlxc.cap.drop: \nlxc.mount.auto: proc:rw sys:rw\n",
  );
  await root.post("/pools", { poolid: "cluster" });
  const fields = { newid: 105, full: 1, hostname: "copy", description: "a copy", pool: "cluster" };
  const upid = (await root.post(path, fields)).body.data as string;
  expect(upid).toMatch(/:vzclone:101:root@pam:$/);
  expect(await root.task(upid)).toBe("OK");
  expect(await root.log(upid)).toEqual([
    "creating a clone of container 101 with ID 105",
    "create full clone of mountpoint rootfs (local-lvm:vm-101-disk-0)",
    "TASK OK",
  ]);
  const expected = pve
    .conf(101)
    .replace("hostname: k3s-101", "hostname: copy")
    .replace("vm-101-disk-0", "vm-105-disk-0")
    .replace(mac(101)!, mac(105)!)
    .replace("unused0: local-lvm:vm-101-disk-7\n", "");
  expect(pve.conf(105)).toBe(`#a copy\n${expected}`);
  expect(mac(105)).not.toBe(mac(101));
  expect(pve.driver.guests.get(105)?.startedAt).toBeUndefined();
  expect((await root.get("/pools", { poolid: "cluster" })).body.data[0].members).toMatchObject([{ vmid: 105 }]);
  await root.run(root.post("/nodes/pve/lxc/105/status/start"));
});

test("the source and the copy are locked during the copy", async () => {
  let open = () => {};
  gate = new Promise((resolve) => (open = resolve));
  const upid = (await root.post(path, { newid: 105 })).body.data as string;
  expect(pve.conf(101)).toContain("lock: disk\n");
  expect(pve.conf(105)).toContain("lock: create\n");
  expect(await root.post(path, { newid: 106 })).toMatchObject({ status: 500, reason: "CT is locked (disk)" });
  expect(await root.run(root.post("/nodes/pve/lxc/101/status/start"))).toBe("CT is locked (disk)");
  open();
  expect(await root.task(upid)).toBe("OK");
  expect(pve.conf(101) + pve.conf(105)).not.toContain("lock:");
});

test("a refused clone leaves neither a lock nor a guest", async () => {
  const refused: [fields: Record<string, string | number>, status: number, reason: string][] = [
    [{ newid: 101 }, 500, "CT 101 already exists on node 'pve'"],
    [{ newid: 105, pool: "none" }, 403, "Permission check failed (pool 'none' does not exist)"],
    [{ newid: 105, target: "other" }, 500, "no such cluster node 'other'"],
    [{ newid: 105, storage: "none" }, 500, "storage 'none' does not exist"],
    [{ newid: 105, snapname: "before" }, 500, "snapshot 'before' does not exist"],
    [{ newid: 105, full: 0, storage: "local-lvm" }, 500, "parameter 'storage' not allowed for linked clones"],
    [{ newid: 105, full: 0 }, 500, "Linked clone feature for 'local-lvm:vm-101-disk-0' is not available"],
  ];
  for (const [fields, status, reason] of refused)
    expect(await root.post(path, fields)).toMatchObject({ status, reason });
  expect((await root.post(path, { hostname: "-" })).body.errors).toMatchObject({
    newid: "property is missing and it is not optional",
    hostname: expect.stringContaining("valid DNS name"),
  });
  expect(await root.run(root.post(path, { newid: 105, storage: "local" }))).toBe(
    "clone failed: content type 'rootdir' is not available or configured on storage 'local'",
  );
  await root.run(root.post("/nodes/pve/lxc/101/status/start"));
  expect(await root.post(path, { newid: 105 })).toMatchObject({
    reason: "Full clone of a running container is only possible from a snapshot",
  });
  expect(await root.post("/nodes/pve/lxc/109/clone", { newid: 105 })).toMatchObject({
    reason: "Configuration file 'nodes/pve/lxc/109.conf' does not exist",
  });
  expect(vmids()).toEqual(["101.conf"]);
  expect(pve.conf(101)).not.toContain("lock:");
});

test("a token needs VM.Clone on the source and VM.Allocate on the copy, but not root@pam", async () => {
  expect(await pve.token().post(path, { newid: 105 })).toMatchObject({
    status: 403,
    reason: "Permission check failed (/vms/101, VM.Clone)",
  });
  const cloner = pve.token(pve.newToken("cloner", ["VM.Clone"]));
  expect(await cloner.post(path, { newid: 105 })).toMatchObject({ status: 403, reason: "Permission check failed" });
  const enough = pve.token(pve.newToken("enough", [...Object.keys(REQUIRED_PRIVILEGES), "VM.Clone"]));
  expect(await enough.run(enough.post(path, { newid: 105 }))).toBe("OK");
  // The clone has `features`, which the token could not have set.
  expect(pve.conf(105)).toContain("features: nesting=1,keyctl=1\n");
});
