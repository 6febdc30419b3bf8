import * as proxmox from "@muhlba91/pulumi-proxmoxve";
import type { PulumiFn } from "@pulumi/pulumi/automation";
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as http from "node:http";
import type { AddressInfo } from "node:net";
import * as path from "node:path";
import { qcow2, type SimulatedNode } from "../support/pveNode";
import { PulumiRun } from "../support/pulumiRun";
import { startVmNode, VM_PRIVILEGES } from "../support/vmNode";

// The real client's requests to make virtual machines: from a vendor's image and from a template. pveClient.test.ts does the same
// for containers.

jest.setTimeout(900_000);

const image = qcow2(2 * 1024 ** 3);
const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJeEmBxkjfF0vYkL5PQbVbKqJ4wRz0gCq5V0mQhXb1Kc me@example";

let pve: SimulatedNode;
let run: PulumiRun;
let source: http.Server;
let env: Record<string, string>;

beforeAll(async () => {
  source = http.createServer((request, response) => {
    response.writeHead(200, { "content-type": "application/octet-stream", "content-length": image.length });
    response.end(request.method === "HEAD" ? undefined : image);
  });
  await new Promise<void>((resolve) => source.listen(0, "127.0.0.1", resolve));
  // Slow enough for the client to see running tasks, and an agent that does not answer yet.
  pve = await startVmNode({}, { delayMs: 200, agentDelayMs: 1500 });
  const more = [
    "Datastore.Allocate",
    "Datastore.AllocateTemplate",
    "Datastore.Audit",
    "Sys.Audit",
    "Sys.AccessNetwork",
  ];
  env = {
    PROXMOX_VE_ENDPOINT: pve.url,
    PROXMOX_VE_API_TOKEN: pve.newToken("vms", [...VM_PRIVILEGES, ...more]),
    SSL_CERT_FILE: pve.caFile,
  };
  run = await PulumiRun.create("vms", env);
});
afterAll(async () => {
  source.close();
  run?.dispose();
  await pve.stop();
});

type VmArgs = Partial<proxmox.VmLegacyArgs>;

function vmArgs(vmId: number, name: string, change: VmArgs): proxmox.VmLegacyArgs {
  return {
    ...{ nodeName: "pve", vmId, name, tags: ["k3s-lab"], description: "owned by: lab/client/k3s" },
    agent: { enabled: true, timeout: "60s" },
    cpu: { cores: 2, type: "x86-64-v2-AES" },
    memory: { dedicated: 4096 },
    scsiHardware: "virtio-scsi-single",
    // Without it the client adds the host's CD drive, which needs Sys.Console.
    cdrom: { fileId: "none" },
    networkDevices: [{ bridge: "vmbr0" }],
    initialization: {
      datastoreId: "local-lvm",
      upgrade: false,
      dns: { servers: ["198.18.0.1"] },
      ipConfigs: [{ ipv4: { address: `198.18.0.${vmId % 100}/24`, gateway: "198.18.0.1" } }],
      userAccount: { username: "root", keys: [key] },
    },
    operatingSystem: { type: "l26" },
    serialDevices: [{ device: "socket" }],
    stopOnDestroy: true,
    ...change,
  };
}

const disk = (size: number, change: object = {}) => ({
  ...{ interface: "scsi0", datastoreId: "local-lvm", size, discard: "on", iothread: true },
  ...change,
});

/** The client sends limits of 0 for each disk and does not read them back: without this option every run changes every machine. */
const options = { ignoreChanges: ["disks[0].speed"] };

/** A template and a machine from a downloaded image, and a linked clone of the template. */
function machines(changed: VmArgs = {}, size = 8): PulumiFn {
  return async () => {
    const { port } = source.address() as AddressInfo;
    const file = new proxmox.download.File("image", {
      ...{ nodeName: "pve", datastoreId: "local", contentType: "import", fileName: "debian-12-cloud.qcow2" },
      ...{ url: `http://127.0.0.1:${port}/debian-12.qcow2`, overwrite: false },
      ...{ checksum: createHash("sha256").update(image).digest("hex"), checksumAlgorithm: "sha256" },
    });
    const disks = [disk(size, { importFrom: file.id })];
    const golden = new proxmox.VmLegacy(
      "golden",
      {
        ...{ nodeName: "pve", vmId: 9000, name: "golden", template: true, started: false },
        ...{ disks: [disk(2, { importFrom: file.id })], networkDevices: [{ bridge: "vmbr0" }] },
        ...{ cdrom: { fileId: "none" }, scsiHardware: "virtio-scsi-single", operatingSystem: { type: "l26" } },
      },
      options,
    );
    const imported = new proxmox.VmLegacy("imported", vmArgs(120, "k3s-120", { disks, ...changed }), options);
    const cloned = new proxmox.VmLegacy(
      "cloned",
      vmArgs(121, "k3s-121", { clone: { vmId: golden.vmId, full: false }, disks: [disk(size)], ...changed }),
      options,
    );
    return { imported: imported.ipv4Addresses, cloned: cloned.ipv4Addresses };
  };
}

const changing = () =>
  pve.exchanges
    .splice(0)
    .filter(({ method }) => method !== "GET")
    .map(({ method, path: target, status, reason }) =>
      `${method} ${target} ${status === 200 ? "" : `${status} ${reason}`}`.trim(),
    );

test("downloads an image, makes a template and a machine from it, and clones the template", async () => {
  const { changes } = await run.up(machines());
  expect(changes).toEqual({ create: 5 });
  expect(changing().filter((line) => /\d{3} /.test(line))).toEqual([]);
  expect(pve.vmConf(9000)).toMatch(/^scsi0: local-lvm:base-9000-disk-0,.*size=2G/m);
  for (const vmid of [120, 121]) {
    expect(pve.vmConf(vmid)).toMatch(new RegExp(`^scsi0: local-lvm:vm-${vmid}-disk-0,.*size=8G`, "m"));
    expect(pve.vmConf(vmid)).toContain(`ipconfig0: gw=198.18.0.1,ip=198.18.0.${vmid % 100}/24\n`);
    expect(pve.vms.guests.get(vmid)?.startedAt).toBeDefined();
  }
  expect(pve.vms.disks.get("local-lvm:vm-121-disk-0")).toMatchObject({
    from: "local-lvm:base-9000-disk-0",
    linked: true,
  });
  const outputs = await run.stack.outputs();
  expect(outputs["imported"]?.value).toEqual([["127.0.0.1"], ["198.18.0.20"]]);
  expect(outputs["cloned"]?.value).toEqual([["127.0.0.1"], ["198.18.0.21"]]);
});

test("a second run changes nothing", async () => {
  const diff = await run.stack.preview({ diff: true, color: "never" });
  expect(diff.changeSummary.update === undefined ? "" : diff.stdout).toBe("");
  expect((await run.up(machines())).changes).toEqual({ same: 5 });
  await run.stack.refresh({ color: "never" });
  expect((await run.up(machines())).changes).toEqual({ same: 5 });
  expect(changing()).toEqual([]);
});

const changed: VmArgs = {
  cpu: { cores: 4, type: "x86-64-v2-AES" },
  memory: { dedicated: 8192 },
  tags: ["k3s-lab", "more"],
};

test("changes cores, memory and tags in place; the client shuts the machines down for that and starts them", async () => {
  expect((await run.up(machines(changed))).changes).toMatchObject({ update: 2, same: 3 });
  const all = changing();
  for (const vmid of [120, 121])
    expect(all.filter((line) => line.includes(`/${vmid}/`))).toEqual([
      `PUT /nodes/pve/qemu/${vmid}/config`,
      `POST /nodes/pve/qemu/${vmid}/status/shutdown`,
      `POST /nodes/pve/qemu/${vmid}/status/start`,
    ]);
  await pve.idle();
  for (const vmid of [120, 121]) {
    expect(pve.vmConf(vmid)).toContain("cores: 4\n");
    expect(pve.vmConf(vmid)).toContain("memory: 8192\n");
    expect(pve.vmConf(vmid)).not.toContain("PENDING");
    expect(pve.vms.guests.get(vmid)?.startedAt).toBeDefined();
  }
});

test("enlarges a disk", async () => {
  await run.up(machines(changed, 12));
  for (const vmid of [120, 121]) expect(pve.vmConf(vmid)).toMatch(/^scsi0: .*size=12G/m);
  expect((await run.up(machines(changed, 12))).changes).toEqual({ same: 5 });
});

test("an existing machine is imported", async () => {
  const other = await PulumiRun.create("importer", env);
  try {
    expect(await other.import("proxmoxve:index/vmLegacy:VmLegacy", "pve/120")).toMatchObject({
      id: "120",
      outputs: { name: "k3s-120", nodeName: "pve", vmId: 120, cpu: { cores: 4 }, memory: { dedicated: 8192 } },
    });
  } finally {
    other.dispose();
  }
});

test("destroys everything", async () => {
  pve.exchanges.length = 0;
  await run.destroy();
  expect(fs.readdirSync(path.join(pve.etcPve, "qemu-server"))).toEqual([]);
  expect([pve.vms.guests.size, pve.vms.disks.size]).toEqual([0, 0]);
});
