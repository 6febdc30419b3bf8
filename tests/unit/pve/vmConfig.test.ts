import * as http from "node:http";
import type { AddressInfo } from "node:net";
import type { PveClient } from "../../support/httpClient";
import { SimulatedNode, vmFields } from "../../support/pveNode";
import { startVmNode, vmClient } from "../../support/vmNode";

let pve: SimulatedNode;
let client: PveClient;
beforeEach(async () => {
  pve = await startVmNode();
  client = vmClient(pve);
  await client.run(client.post(qemu, vmFields(101)));
});
afterEach(() => pve.stop());

const qemu = "/nodes/pve/qemu";
const vm = `${qemu}/101`;
const config = `${vm}/config`;
const boot = () => client.run(client.post(`${vm}/status/start`));
const pending = async () =>
  ((await client.get(`${vm}/pending`)).body.data as { key: string; pending?: string; delete?: number }[]).filter(
    (entry) => entry.pending !== undefined || entry.delete,
  );

test("a stopped machine applies every change at once", async () => {
  expect(await client.put(config, { cores: 4, memory: 8192, cpu: "host", delete: "serial0,net7" })).toMatchObject({
    status: 200,
    body: { data: null },
  });
  expect(pve.vmConf(101)).toContain("cores: 4\ncpu: host\n");
  expect(pve.vmConf(101)).toContain("memory: 8192\n");
  expect(pve.vmConf(101)).not.toMatch(/serial0|PENDING/);
});

test("a running machine applies what needs no restart; the rest is in [PENDING], and can be reverted", async () => {
  await boot();
  await client.put(config, { cores: 4, memory: 8192, tags: "b;a", description: "new", balloon: 2048, cpuunits: 200 });
  expect(pve.vmConf(101)).toMatch(/^#new\n(.*\n)*\n\[PENDING\]\ncores: 4\nmemory: 8192\n$/);
  expect(pve.vms.guests.get(101)?.applied).toEqual(["balloon", "cpuunits", "description", "tags"]);
  expect(await pending()).toEqual([
    { key: "cores", value: "2", pending: "4" },
    { key: "memory", value: "4096", pending: "8192" },
  ]);
  // A read shows pending values, unless it asks for the current ones.
  expect((await client.get(config)).body.data).toMatchObject({ cores: 4, memory: "8192" });
  expect((await client.get(config, { current: 1 })).body.data).toMatchObject({ cores: 2, memory: "4096" });
  await client.put(config, { revert: "cores" });
  expect(await pending()).toEqual([{ key: "memory", value: "4096", pending: "8192" }]);
  await client.run(client.post(`${vm}/status/stop`));
  await boot();
  expect(pve.vmConf(101)).toContain("memory: 8192\n");
  expect(pve.vmConf(101)).not.toContain("PENDING");
});

test("a disk is hot-plugged if its bus supports it; when removed it stays as unused, and with force it is deleted", async () => {
  await boot();
  await client.put(config, { scsi1: "local-lvm:8,serial=longhorn01", sata0: "local-lvm:4" });
  expect(pve.vmConf(101)).toMatch(
    /scsi1: local-lvm:vm-101-disk-\d,serial=longhorn01,size=8G\n(.*\n)*\n\[PENDING\]\nsata0: local-lvm:vm-101-disk-\d,size=4G\n$/,
  );
  const volid = /scsi1: ([^,]+)/.exec(pve.vmConf(101))![1]!;
  expect(pve.vms.disks.get(volid)?.bytes).toBe(8 * 1024 ** 3);
  const waiting = /sata0: ([^,]+)/.exec(pve.vmConf(101))![1]!;
  await client.put(config, { revert: "sata0" });
  expect(pve.vmConf(101)).not.toContain("PENDING");
  expect(pve.vmConf(101)).toContain(`unused0: ${waiting}\n`);
  await client.put(config, { delete: "unused0" });
  expect(pve.vms.disks.has(waiting)).toBe(false);
  await client.put(config, { delete: "scsi1" });
  expect(pve.vmConf(101)).toContain(`unused0: ${volid}\n`);
  await client.put(config, { scsi2: `${volid},size=8G` });
  expect(pve.vmConf(101)).not.toContain("unused0");
  await client.put(config, { delete: "scsi2", force: 1 });
  expect(pve.vmConf(101)).not.toContain(volid);
  expect(pve.vms.disks.has(volid)).toBe(false);
});

test("the asynchronous form is a task, or nothing if it ends within the given time", async () => {
  const upid = (await client.post(config, { cores: 3 })).body.data as string;
  expect(upid).toMatch(/:qmconfig:101:/);
  expect(await client.task(upid)).toBe("OK");
  expect(await client.post(config, { cores: 4, background_delay: 5 })).toMatchObject({ body: { data: null } });
  expect(pve.vmConf(101)).toContain("cores: 4\n");
});

test("an invalid option is refused by name", async () => {
  const digest = (await client.get(config)).body.data.digest as string;
  await client.put(config, { cores: 3, digest });
  const refused: [fields: Record<string, string | number>, status: number, text: string][] = [
    [{ cores: 4, digest }, 500, "checksum mismatch (file change by other user?)"],
    [{}, 500, "no options specified"],
    [{ boot: "order=scsi9" }, 500, "invalid bootorder: device 'scsi9' does not exist'"],
    [{ memory: 512, balloon: 1024 }, 500, "balloon value too large (must be smaller than assigned memory)"],
    [{ ide3: "local-lvm:cloudinit" }, 500, "ide3 - cloud-init drive is already attached at 'ide2'"],
    [{ args: "-device x" }, 500, "only root can set 'args' config"],
    [{ hookscript: "local:snippets/x" }, 500, "only root can set 'hookscript' config"],
    [{ serial1: "/dev/ttyS0" }, 500, "only root can set 'serial1' config for real devices"],
  ];
  for (const [fields, status, reason] of refused)
    expect(await client.put(config, fields)).toMatchObject({ status, reason });
  const wrong: [fields: Record<string, string | number>, errors: Record<string, unknown>][] = [
    [
      { scsi1: "local-lvm:8,import-from=local:import/debian-12.qcow2" },
      { scsi1: expect.stringContaining("requires special syntax") },
    ],
    [{ scsi1: "local-lvm:0,import-from=local:iso/x.iso" }, { scsi1: expect.stringContaining("wrong type 'iso'") }],
    [{ net1: "virtio=nonsense,bridge=vmbr0" }, { net1: expect.stringContaining("MAC address") }],
    [{ ipconfig0: "ip=1.2.3.4" }, { ipconfig0: expect.stringContaining("ipv4 network configuration") }],
    [{ nonsense: 1 }, { nonsense: expect.stringContaining("not defined in schema") }],
    [{ cores: 2, delete: "cores" }, { delete: "you can't use '-cores' and -delete cores' at the same time" }],
  ];
  for (const [fields, errors] of wrong)
    expect(await client.put(config, fields)).toMatchObject({ status: 400, body: { errors } });
});

test("each option needs its own privilege", async () => {
  const token = (...privileges: string[]) =>
    pve.token(pve.newToken(`t${privileges.length}`, ["VM.Audit", ...privileges]));
  const cpu = token("VM.Config.CPU");
  expect(await cpu.put(config, { cores: 1 })).toMatchObject({ status: 200 });
  const missing: [fields: Record<string, string | number>, privilege: string][] = [
    [{ memory: 1024 }, "VM.Config.Memory"],
    [{ name: "x" }, "VM.Config.Options"],
    [{ vga: "std" }, "VM.Config.HWType"],
    [{ boot: "order=scsi0" }, "VM.Config.Disk"],
    [{ net0: "virtio,bridge=vmbr0" }, "VM.Config.Network"],
    [{ ciuser: "x" }, "VM.Config.Cloudinit|VM.Config.Network"],
    [{ delete: "ide2" }, "VM.Config.Cloudinit"],
  ];
  for (const [fields, privilege] of missing)
    expect(await cpu.put(config, fields)).toMatchObject({
      status: 403,
      reason: `Permission check failed (/vms/101, ${privilege})`,
    });
});

test("a disk grows and never shrinks; a move keeps its source as unused or deletes it", async () => {
  const resize = (size: string) => client.run(client.put(`${vm}/resize`, { disk: "scsi0", size }));
  expect([await resize("8G"), await resize("+2G"), await resize("10G")]).toEqual(["OK", "OK", "OK"]);
  expect(pve.vmConf(101)).toContain("scsi0: local-lvm:vm-101-disk-0,discard=on,iothread=1,size=10G\n");
  expect(await resize("4G")).toBe("shrinking disks is not supported");
  expect(await client.run(client.put(`${vm}/resize`, { disk: "ide2", size: "1G" }))).toBe("you can't resize a cdrom");
  expect(await client.run(client.put(`${vm}/resize`, { disk: "scsi5", size: "1G" }))).toBe(
    "disk 'scsi5' does not exist",
  );

  const move = (fields: Record<string, string | number>) =>
    client.post(`${vm}/move_disk`, { disk: "scsi0", ...fields });
  expect(await move({ storage: "local-lvm" })).toMatchObject({
    reason: "you can't move to the same storage with same format",
  });
  expect(await client.run(move({ storage: "local", format: "qcow2" }))).toBe("OK");
  expect(pve.vmConf(101)).toContain("scsi0: local:101/vm-101-disk-1.qcow2,discard=on,iothread=1,size=10G\n");
  expect(pve.vmConf(101)).toContain("unused0: local-lvm:vm-101-disk-0\n");
  expect(await client.run(move({ storage: "local-lvm", delete: 1 }))).toBe("OK");
  expect(pve.vmConf(101)).toContain("scsi0: local-lvm:vm-101-disk-2,discard=on");
  expect([...pve.vms.disks.keys()].sort()).toEqual(["local-lvm:vm-101-disk-0", "local-lvm:vm-101-disk-2"]);
  await client.put(`${vm}/unlink`, { idlist: "unused0" });
  expect([...pve.vms.disks.keys()]).toEqual(["local-lvm:vm-101-disk-2"]);
});

test("a downloaded image is imported; a full storage refuses the disk", async () => {
  const image = Buffer.alloc(512, 1);
  const source = http.createServer((_, response) => response.end(image));
  await new Promise<void>((resolve) => source.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${(source.address() as AddressInfo).port}/other.raw`;
  const root = await pve.root();
  const download = (content: string, filename: string) =>
    root.post("/nodes/pve/storage/local/download-url", { content, filename, url });
  expect(await root.run(download("import", "other.raw"))).toBe("OK");
  expect(await root.run(download("iso", "other.img"))).toBe("OK");
  expect((await download("import", "other.img")).body.errors).toEqual({
    filename: "invalid filename or wrong extension",
  });
  source.close();
  const { data } = (await root.get("/nodes/pve/storage/local/content", { content: "import" })).body;
  expect(data).toMatchObject([
    { volid: "local:import/debian-12.qcow2", content: "import", format: "qcow2" },
    { volid: "local:import/other.raw", content: "import", format: "raw" },
  ]);
  await client.run(client.post(qemu, vmFields(102, { scsi0: "local-lvm:0,import-from=local:import/other.raw" })));
  expect(pve.vmConf(102)).toContain("scsi0: local-lvm:vm-102-disk-0,size=1M\n");
  const absent = vmFields(103, { scsi0: "local-lvm:0,import-from=local:import/none.raw" });
  expect(await client.run(client.post(qemu, absent))).toContain("cannot import from 'local:import/none.raw'");
  const isoAsDisk = vmFields(103, { scsi0: "local-lvm:0,import-from=local:iso/other.img" });
  expect((await client.post(qemu, isoAsDisk)).body.errors).toEqual({
    scsi0: "local:iso/other.img has wrong type 'iso' - needs to be 'images' or 'import'",
  });
  pve.faults.set({ kind: "storage-full", storage: "local-lvm" });
  expect(await client.run(client.post(qemu, vmFields(103)))).toContain(
    "free space in thin pool pve/data reached threshold",
  );
});

describe("cloud-init", () => {
  const dump = async (type: string, of = client) =>
    (await of.get(`${vm}/cloudinit/dump`, { type })).body.data as string;

  test("user data, network and instance id match Proxmox VE's", async () => {
    const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJeEmBxkjfF0vYkL5PQbVbKqJ4wRz0gCq5V0mQhXb1Kc me@example";
    const mac = "BC:24:11:00:00:01";
    await client.put(config, {
      ...{ sshkeys: encodeURIComponent(`${key}\n`), ciupgrade: 0, searchdomain: "home.arpa", cipassword: "secret" },
      net0: `virtio=${mac},bridge=vmbr0`,
    });
    expect(await dump("user")).toBe(
      [
        "#cloud-config\nhostname: k3s-101\nmanage_etc_hosts: true\nfqdn: k3s-101.home.arpa\nuser: root\ndisable_root: False",
        `password: ${/^cipassword: (\$5\$.+)$/m.exec(pve.vmConf(101))![1]}`,
        `ssh_authorized_keys:\n  - ${key}\nchpasswd:\n  expire: False\n`,
      ].join("\n"),
    );
    expect(await dump("network")).toBe(
      [
        "version: 1\nconfig:\n    - type: physical\n      name: eth0\n      mac_address: 'bc:24:11:00:00:01'\n      subnets:",
        "      - type: static\n        address: '198.18.0.20'\n        netmask: '255.255.255.0'\n        gateway: '198.18.0.1'",
        "    - type: nameserver\n      address:\n      - '198.18.0.1'\n      search:\n      - 'home.arpa'\n",
      ].join("\n"),
    );
    expect(await dump("meta")).toMatch(/^instance-id: [0-9a-f]{40}\n$/);
    const auditor = pve.token(pve.newToken("auditor", ["VM.Audit"]));
    expect(await dump("user", auditor)).toContain("password: **********\n");
    expect((await client.get(config)).body.data.cipassword).toBe("**********");
  });

  test("the values in the drive of a running machine are kept until the drive is written again", async () => {
    await boot();
    await client.put(config, { nameserver: "198.18.0.2", searchdomain: "home.arpa", delete: "ciuser" });
    expect(pve.vmConf(101)).toContain(
      "\n[special:cloudinit]\nadded: searchdomain\nciuser: root\nnameserver: 198.18.0.1\n",
    );
    const { data } = (await client.get(`${vm}/cloudinit`)).body;
    expect(data).toEqual(
      expect.arrayContaining([
        { key: "searchdomain", pending: "home.arpa" },
        { key: "nameserver", value: "198.18.0.1", pending: "198.18.0.2" },
        { key: "ciuser", delete: 1 },
      ]),
    );
    expect(await client.put(`${vm}/cloudinit`)).toMatchObject({ status: 200 });
    expect(pve.vmConf(101)).not.toContain("special:cloudinit");
  });
});
