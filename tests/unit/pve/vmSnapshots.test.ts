import { REQUIRED_PRIVILEGES } from "../../../plan/privileges";
import type { PveClient } from "../../support/httpClient";
import { SimulatedNode, vmFields } from "../../support/pveNode";
import { startVmNode, VM_PRIVILEGES } from "../../support/vmNode";

let pve: SimulatedNode;
let client: PveClient;
beforeEach(async () => {
  pve = await startVmNode();
  client = pve.token(pve.newToken("snapshots", [...VM_PRIVILEGES, "VM.Snapshot"]));
  await client.run(client.post("/nodes/pve/qemu", vmFields(101, { start: 1, description: "of now" })));
  await pve.idle();
});
afterEach(() => pve.stop());

const vm = "/nodes/pve/qemu/101";
const take = (snapname: string) =>
  client.run(client.post(`${vm}/snapshot`, { snapname, description: `as ${snapname}` }));
const list = async () => (await client.get(`${vm}/snapshot`)).body.data as { name: string; parent?: string }[];

test("a rollback restores the configuration and the disks, and leaves the machine stopped", async () => {
  expect(await take("before")).toBe("OK");
  await client.put(`${vm}/config`, { tags: "later", cores: 4, description: "of later" });
  await client.run(client.put(`${vm}/resize`, { disk: "scsi0", size: "8G" }));
  expect(await client.run(client.post(`${vm}/snapshot/before/rollback`))).toBe("OK");
  expect(pve.vmConf(101)).toContain("scsi0: local-lvm:vm-101-disk-0,discard=on,iothread=1,size=2G\n");
  expect(pve.vmConf(101)).toMatch(/^#of later\n/);
  expect(pve.vmConf(101)).not.toMatch(/tags: later|PENDING/);
  expect(pve.vms.disks.get("local-lvm:vm-101-disk-0")?.bytes).toBe(2 * 1024 ** 3);
  expect((await client.get(`${vm}/status/current`)).body.data.status).toBe("stopped");
  expect(await client.run(client.post(`${vm}/snapshot/before/rollback`, { start: 1 }))).toBe("OK");
  await pve.idle();
  expect((await client.get(`${vm}/status/current`)).body.data.status).toBe("running");
});

test("they are a chain, which stays connected when one is removed", async () => {
  for (const name of ["one", "two", "three"]) expect(await take(name)).toBe("OK");
  expect((await list()).map(({ name, parent }) => `${name} < ${parent}`)).toEqual([
    "one < undefined",
    "three < two",
    "two < one",
    "current < three",
  ]);
  expect(await client.run(client.delete(`${vm}/snapshot/two`))).toBe("OK");
  expect((await list()).find(({ name }) => name === "three")?.parent).toBe("one");
  expect((await client.get(`${vm}/snapshot/one/config`)).body.data).toMatchObject({ cores: 2, description: "as one" });
  expect((await client.get(`${vm}/config`, { snapshot: "one" })).body.data.cores).toBe(2);
});

test("invalid snapshots are refused", async () => {
  await take("one");
  expect(await take("one")).toBe("snapshot name 'one' already used");
  expect(await client.post(`${vm}/snapshot`, { snapname: "current" })).toMatchObject({
    reason: "unable to use snapshot name 'current' (reserved name)",
  });
  expect(await client.run(client.post(`${vm}/snapshot/none/rollback`))).toBe("snapshot 'none' does not exist");
  await client.run(client.post(`${vm}/status/stop`));
  expect(await client.post(`${vm}/template`)).toMatchObject({
    reason: "unable to create template, because VM contains snapshots",
  });
  const other = pve.token(pve.newToken("other", Object.keys(REQUIRED_PRIVILEGES)));
  expect(await other.post(`${vm}/snapshot`, { snapname: "two" })).toMatchObject({
    reason: "Permission check failed (/vms/101, VM.Snapshot)",
  });
});
