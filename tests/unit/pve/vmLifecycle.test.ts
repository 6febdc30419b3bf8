import { NoVms } from "../../../lab/pve/vms/noVms";
import type { PveClient } from "../../support/httpClient";
import { nodeFields, SimulatedNode, vmFields } from "../../support/pveNode";
import { startVmNode, vmClient } from "../../support/vmNode";

// The node compares each answer with the official schema when it stops.

let pve: SimulatedNode;
let client: PveClient;
async function start(...args: Parameters<typeof startVmNode>): Promise<void> {
  pve = await startVmNode(...args);
  client = vmClient(pve);
}
afterEach(() => pve.stop());

const qemu = "/nodes/pve/qemu";
const vm = `${qemu}/101`;
const current = async (of = vm) => (await client.get(`${of}/status/current`)).body.data;
const create = (extra: Record<string, string | number> = {}) => client.run(client.post(qemu, vmFields(101, extra)));

test("create from an image, start, read, shut down, destroy", async () => {
  await start();
  const fields = vmFields(101, {
    description: "one\ntwo: ü",
    tags: "b;a",
    sshkeys: "ssh-ed25519%20AAAAC3NzaC1lZDI1NTE5AAAAIJeEmBxkjfF0vYkL5PQbVbKqJ4wRz0gCq5V0mQhXb1Kc%20me%0A",
  });
  const upid = (await client.post(qemu, fields)).body.data as string;
  expect(upid).toMatch(/:qmcreate:101:vms@pve!pulumi:$/);
  expect(await client.task(upid)).toBe("OK");
  expect((await client.log(upid)).filter((line) => line.includes("successfully"))).toEqual([
    "ide2: successfully created disk 'local-lvm:vm-101-cloudinit,media=cdrom'",
    "scsi0: successfully created disk 'local-lvm:vm-101-disk-0,discard=on,iothread=1,size=2G'",
  ]);
  expect(pve.vmConf(101)).toMatch(
    new RegExp(
      [
        "^#one\n#two%3A %C3%BC\nagent: enabled=1,fstrim_cloned_disks=0,type=virtio\nboot: order=scsi0;ide2;net0\nciuser: root\ncores: 2",
        "cpu: cputype=x86-64-v2-AES\nide2: local-lvm:vm-101-cloudinit,media=cdrom\nipconfig0: ip=198\\.18\\.0\\.20/24,gw=198\\.18\\.0\\.1",
        "memory: 4096\nmeta: creation-qemu=[\\d.]+,ctime=\\d+\nname: k3s-101\nnameserver: 198\\.18\\.0\\.1",
        "net0: virtio=BC:24:11(:[0-9A-F]{2}){3},bridge=vmbr0,firewall=0\nonboot: 1\nostype: l26",
        "scsi0: local-lvm:vm-101-disk-0,discard=on,iothread=1,size=2G\nscsihw: virtio-scsi-single\nserial0: socket",
        "smbios1: uuid=[0-9a-f-]{36}\nsshkeys: ssh-ed25519%20\\S+\ntags: a;b\nvmgenid: [0-9a-f-]{36}\n$",
      ].join("\n"),
    ),
  );
  expect((await client.get(`${vm}/config`)).body.data).toMatchObject({
    cores: 2,
    // A property string, unlike that of a container.
    memory: "4096",
    onboot: 1,
    description: "one\ntwo: ü",
    scsi0: "local-lvm:vm-101-disk-0,discard=on,iothread=1,size=2G",
  });
  expect(pve.vms.disks.get("local-lvm:vm-101-disk-0")).toMatchObject({
    bytes: 2 * 1024 ** 3,
    from: expect.stringMatching(/import\/debian-12\.qcow2$/),
  });

  expect(await current()).toMatchObject({ status: "stopped", qmpstatus: "stopped", agent: 1 });
  expect(await client.run(client.post(`${vm}/status/start`))).toBe("OK");
  expect(await current()).toMatchObject({
    ...{ vmid: 101, status: "running", qmpstatus: "running", name: "k3s-101", serial: 1, tags: "a;b" },
    ...{ maxmem: 4096 * 1024 ** 2, maxdisk: 2 * 1024 ** 3, ha: { managed: 0 } },
  });
  const { body } = await client.get(`${vm}/agent/network-get-interfaces`);
  expect(body.data.result[1]).toMatchObject({
    name: "eth0",
    "hardware-address": expect.stringMatching(/^bc:24:11/),
    "ip-addresses": [{ "ip-address": "198.18.0.20", "ip-address-type": "ipv4", prefix: 24 }],
  });

  expect(await client.delete(vm)).toMatchObject({ status: 500, reason: "VM 101 is running - destroy failed" });
  expect(await client.run(client.post(`${vm}/status/shutdown`, { timeout: 5 }))).toBe("OK");
  expect(await client.run(client.delete(vm, { purge: 1, "destroy-unreferenced-disks": 1 }))).toBe("OK");
  expect(await client.get(`${vm}/status/current`)).toMatchObject({
    status: 500,
    reason: "Configuration file 'nodes/pve/qemu-server/101.conf' does not exist",
  });
  expect([pve.vms.guests.size, pve.vms.disks.size]).toEqual([0, 0]);
});

test("a VMID belongs to one guest of either kind; lists across the cluster show both kinds", async () => {
  await start();
  await create();
  await client.run(client.post("/nodes/pve/lxc", nodeFields(102)));
  expect(await client.post("/nodes/pve/lxc", nodeFields(101))).toMatchObject({
    reason: "VM 101 already exists on node 'pve'",
  });
  expect(await client.post(qemu, vmFields(102))).toMatchObject({
    reason: "unable to create VM 102 - CT 102 already exists on node 'pve'",
  });
  expect(await client.post(qemu, vmFields(101))).toMatchObject({
    reason: "unable to create VM 101 - VM 101 already exists on node 'pve'",
  });
  expect(await client.get("/nodes/pve/lxc/101/config")).toMatchObject({
    reason: "Configuration file 'nodes/pve/lxc/101.conf' does not exist",
  });
  expect((await client.get("/cluster/nextid", { vmid: 101 })).body.errors).toEqual({ vmid: "VM 101 already exists" });
  const { data } = (await client.get("/cluster/resources", { type: "vm" })).body;
  expect(data).toMatchObject([
    { id: "qemu/101", type: "qemu", vmid: 101, name: "k3s-101", template: 0, maxcpu: expect.any(Number) },
    { id: "lxc/102", type: "lxc", vmid: 102 },
  ]);
});

test("a start requested with the create is a second task; the machine is added to its pool", async () => {
  await start();
  await (await pve.root()).post("/pools", { poolid: "cluster" });
  expect(await create({ start: 1, pool: "cluster" })).toBe("OK");
  await pve.idle();
  expect(await current()).toMatchObject({ status: "running" });
  const root = await pve.root();
  expect((await root.get("/pools", { poolid: "cluster", type: "qemu" })).body.data[0].members).toMatchObject([
    { id: "qemu/101", vmid: 101 },
  ]);
  await client.run(client.post(`${vm}/status/stop`));
  await client.run(client.delete(vm));
  expect((await root.get("/pools", { poolid: "cluster" })).body.data[0].members).toEqual([]);
});

test("a running machine is not started again, and a stopped one can be stopped again", async () => {
  await start();
  await create();
  expect(await client.run(client.post(`${vm}/status/stop`))).toBe("OK");
  expect(await client.run(client.post(`${vm}/status/shutdown`))).toBe("OK");
  expect(await client.post(`${vm}/status/reboot`)).toMatchObject({ status: 500, reason: "VM 101 not running" });
  await client.run(client.post(`${vm}/status/start`));
  expect(await client.run(client.post(`${vm}/status/start`))).toBe("VM 101 already running");
});

test("a reboot shuts down, and a start by root@pam follows it", async () => {
  await start();
  await create({ start: 1 });
  await pve.idle();
  await client.put(`${vm}/config`, { memory: 8192 });
  expect(await client.run(client.post(`${vm}/status/reboot`))).toBe("OK");
  await pve.idle();
  expect(pve.vmConf(101)).toContain("memory: 8192\n");
  expect(await current()).toMatchObject({ status: "running", maxmem: 8192 * 1024 ** 2 });
  const { data } = (await (await pve.root()).get("/nodes/pve/tasks", { vmid: 101 })).body;
  expect((data as { type: string; user: string }[]).slice(0, 2).map(({ type, user }) => `${type} ${user}`)).toEqual([
    "qmstart root@pam",
    "qmreboot vms@pve",
  ]);
});

test("a machine that does not power off: without force the task fails, with force the machine is stopped", async () => {
  await start({}, { ignoresShutdown: () => true });
  await create({ start: 1 });
  await pve.idle();
  expect(await client.run(client.post(`${vm}/status/shutdown`, { timeout: 1 }))).toBe(
    "VM quit/powerdown failed - got timeout",
  );
  expect(await client.run(client.post(`${vm}/status/reboot`, { timeout: 1 }))).toBe(
    "VM quit/powerdown failed - got timeout",
  );
  expect(await client.run(client.post(`${vm}/status/shutdown`, { timeout: 1, forceStop: 1 }))).toBe("OK");
  expect(await current()).toMatchObject({ status: "stopped" });
});

test("paused, resumed and reset", async () => {
  await start();
  await create();
  expect(await client.post(`${vm}/status/suspend`)).toMatchObject({ reason: "VM 101 not running" });
  await client.run(client.post(`${vm}/status/start`));
  expect(await client.run(client.post(`${vm}/status/suspend`))).toBe("OK");
  expect(await current()).toMatchObject({ status: "running", qmpstatus: "paused" });
  expect(await client.post(`${vm}/status/shutdown`)).toMatchObject({ reason: "VM is paused - cannot shutdown" });
  expect(await client.run(client.post(`${vm}/status/resume`))).toBe("OK");
  expect(await client.run(client.post(`${vm}/status/reset`))).toBe("OK");
  expect(await current()).toMatchObject({ qmpstatus: "running" });
});

test("protection and locks are respected", async () => {
  await start();
  await create({ protection: 1 });
  expect(await client.delete(vm)).toMatchObject({ reason: "can't remove VM 101 - protection mode enabled" });
  await client.put(`${vm}/config`, { protection: 0 });
  pve.faults.set({ kind: "lock", guest: 101 });
  expect(pve.vmConf(101)).toContain("lock: backup\n");
  const locked = "VM is locked (backup)";
  expect(await client.put(`${vm}/config`, { cores: 4 })).toMatchObject({ status: 500, reason: locked });
  expect(await client.run(client.post(`${vm}/status/start`))).toBe(locked);
  expect(await client.run(client.delete(vm))).toBe(locked);
  expect((await client.post(`${vm}/status/start`, { skiplock: 1 })).body.errors).toEqual({
    skiplock: "Only root may use this option.",
  });
  pve.faults.clear();
  expect(await client.run(client.delete(vm))).toBe("OK");
});

test("without QEMU no machine can be created, and the VMID stays free", async () => {
  await start({ vms: new NoVms() });
  expect(await create()).toBe(
    "unable to create VM 101 - this node runs no virtual machines: raise the lab by `lab up --vms`",
  );
  expect((await client.get("/cluster/nextid")).body.data).toBe(100);
});
