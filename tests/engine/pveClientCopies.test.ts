import * as proxmox from "@muhlba91/pulumi-proxmoxve";
import * as fs from "node:fs";
import * as path from "node:path";
import { REQUIRED_PRIVILEGES } from "../../plan/privileges";
import { SimulatedNode } from "../support/pveNode";
import { PulumiRun } from "../support/pulumiRun";

// The real client's requests to upload a template, to make a container from it and to clone that.

jest.setTimeout(300_000);

let pve: SimulatedNode;
let run: PulumiRun;

beforeAll(async () => {
  pve = await SimulatedNode.start({}, { delayMs: 200 });
  const privileges = [
    ...Object.keys(REQUIRED_PRIVILEGES),
    "VM.Clone",
    "Datastore.Allocate",
    "Datastore.AllocateTemplate",
  ];
  run = await PulumiRun.create("copies", {
    PROXMOX_VE_ENDPOINT: pve.url,
    PROXMOX_VE_API_TOKEN: pve.newToken("copies", privileges),
    SSL_CERT_FILE: pve.caFile,
  });
  fs.writeFileSync(path.join(pve.dir, "golden.tar.zst"), "the content of a template");
});
afterAll(async () => {
  run?.dispose();
  await pve.stop();
});

async function program() {
  const template = new proxmox.FileLegacy("template", {
    nodeName: "pve",
    datastoreId: "local",
    contentType: "vztmpl",
    sourceFile: { path: path.join(pve.dir, "golden.tar.zst") },
  });
  const golden = new proxmox.ContainerLegacy("golden", {
    ...{ nodeName: "pve", vmId: 110, unprivileged: false, started: false },
    operatingSystem: { templateFileId: template.id, type: "ubuntu" },
    disk: { datastoreId: "local-lvm", size: 8 },
    networkInterfaces: [{ name: "eth0", bridge: "vmbr0" }],
    initialization: { hostname: "golden", ipConfigs: [{ ipv4: { address: "198.18.0.10/24" } }] },
  });
  new proxmox.ContainerLegacy("clone", {
    ...{ nodeName: "pve", vmId: 111, unprivileged: false },
    // Without it, the client's default (`local`) differs from what it reads back, and the next run replaces the clone.
    disk: { datastoreId: "local-lvm", size: 8 },
    clone: { vmId: golden.vmId.apply((vmId) => vmId) },
    networkInterfaces: [{ name: "eth0", bridge: "vmbr0" }],
    initialization: { hostname: "clone", ipConfigs: [{ ipv4: { address: "198.18.0.11/24" } }] },
  });
}

test("uploads a template, makes a container and clones it; a second run changes nothing; destroy removes all of it", async () => {
  expect((await run.up(program)).changes).toEqual({ create: 4 });
  const sent = pve.exchanges.filter(({ path: target }) => /\/(upload|clone)$/.test(target));
  expect(sent.map(({ path: target, status, params }) => ({ target, status, params }))).toEqual([
    {
      target: "/nodes/pve/storage/local/upload",
      status: 200,
      params: { content: "vztmpl", filename: "golden.tar.zst" },
    },
    {
      target: "/nodes/pve/lxc/110/clone",
      status: 200,
      params: expect.objectContaining({ newid: "111", full: "1", hostname: "clone" }),
    },
  ]);
  expect(pve.conf(111)).toContain("hostname: clone\n");
  expect(pve.conf(111)).toContain("ip=198.18.0.11/24");
  expect(pve.driver.guests.get(111)?.startedAt).toBeDefined();
  expect((await run.up(program)).changes).toEqual({ same: 4 });
  await run.destroy();
  expect(pve.driver.guests.size).toBe(0);
  expect(fs.readdirSync(path.join(pve.dir, "vz/template/cache"))).toEqual([]);
});
