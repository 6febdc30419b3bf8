import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as http from "node:http";
import type { AddressInfo } from "node:net";
import * as path from "node:path";
import { Homelab } from "../support/homelab";
import { nameOf, type PreviewStep } from "../support/previewSteps";
import { qcow2 } from "../support/pveNode";

/**
 * Virtual machines from a vendor's image: a machine has a guest agent only if cloud-init has installed it. The tests build
 * on each other.
 */

jest.setTimeout(600_000);

const image = qcow2(2 * 1024 ** 3);
const other = qcow2(3 * 1024 ** 3);
const sumOf = (content: Buffer): string => createHash("sha256").update(content).digest("hex");
const IP_POOL = { vmIds: { from: 120 }, addresses: { from: "192.168.2.40" } };
const IMAGE = `homelab-image-local-${sumOf(image).slice(0, 12)}`;
const OTHER = `homelab-image-local-${sumOf(other).slice(0, 12)}`;
const SNIPPET = "homelab-local-snippet";

let lab: Homelab;
let vendor: http.Server;
let downloads = 0;
const url = (file: string): string => `http://127.0.0.1:${(vendor.address() as AddressInfo).port}/${file}`;

beforeAll(async () => {
  vendor = http.createServer(({ method, url: file }, response) => {
    const content = file === "/debian-13.qcow2" ? image : other;
    response.writeHead(200, { "content-type": "application/octet-stream", "content-length": content.length });
    response.end(method === "HEAD" ? undefined : content);
    if (method === "GET") downloads++;
  });
  await new Promise<void>((resolve) => vendor.listen(0, "127.0.0.1", resolve));
  lab = await Homelab.start();
  lab.allowImages("local");
  for (const theirs of ["import/mine.qcow2", "snippets/mine.yaml"]) {
    fs.mkdirSync(path.dirname(lab.onLocal(theirs)), { recursive: true });
    fs.writeFileSync(lab.onLocal(theirs), image);
  }
  lab.edit(({ pools }) => {
    pools.worker.count = 1;
    pools.vms = {
      ...{ kind: "vm", role: "agent", count: 2, hostname: "k3s-vm-{0}", ...IP_POOL },
      ...{ image: { url: url("debian-13.qcow2"), sha256: sumOf(image) }, cores: 2, memory: "4GB", disk: "20GB" },
    };
  });
});
beforeEach(() => {
  lab.journal.clear();
  lab.exchanges.length = 0;
});
afterAll(async () => {
  vendor.close();
  await lab?.dispose();
});

const conf = (vmid: number): string =>
  [...(lab.host.conf(String(vmid))?.options ?? [])].map(([key, value]) => `${key}: ${value}\n`).join("");
const files = (): string[] =>
  ["import", "snippets"].flatMap((folder) =>
    fs.readdirSync(lab.onLocal(folder)).map((file) => `${folder}/${file.replace(/-[0-9a-f]{16}/, "-ID")}`),
  );
const members = (): string[] => [...lab.host.members.keys()].sort();
const ours = (content: Buffer): string => `import/proxmox-k3s-ID-${sumOf(content).slice(0, 12)}.qcow2`;
const THEIRS = ["import/mine.qcow2", "snippets/mine.yaml"];

it("the first preview shows one download, one snippet, and machines without a template", async () => {
  const { code, errors, stdout } = await lab.preview();
  expect([code, errors]).toEqual([0, []]);
  const steps: PreviewStep[] = JSON.parse(stdout).steps;
  const named = (part: string): string[] => steps.map(nameOf).filter((name) => name.includes(part));
  expect([named("-image-"), named("snippet")]).toEqual([[IMAGE], [SNIPPET]]);
  const { inputs } = steps.find((step) => nameOf(step) === IMAGE)!.newState;
  expect(inputs).toMatchObject({
    ...{ nodeName: "pve", datastoreId: "local", contentType: "import", url: url("debian-13.qcow2"), overwrite: false },
    ...{ checksum: sumOf(image), checksumAlgorithm: "sha256" },
  });
  const vm = steps.find(({ newState }) => newState.type === "proxmoxve:index/vmLegacy:VmLegacy")!.newState.inputs!;
  expect(vm["clone"]).toBeNull();
  expect(vm["disks"]).toMatchObject([{ interface: "scsi0", datastoreId: "local-lvm", size: 20 }]);
});

it("a wrong checksum is refused before a machine is made, and the error says what to compare", async () => {
  lab.edit(({ pools }) => (pools.vms.image.sha256 = "0".repeat(64)));
  const { code, failed, stdout } = await lab.up();
  lab.edit(({ pools }) => (pools.vms.image.sha256 = sumOf(image)));
  expect([code, failed]).toEqual([1, ["homelab-image-local-000000000000"]]);
  expect(stdout).toContain(`the image ${url("debian-13.qcow2")} was not downloaded to local`);
  expect(stdout).toContain("compare image.sha256 with the sum that the vendor publishes");
  expect([files().filter((file) => file.startsWith("import")), lab.vms.guests.size]).toEqual([[THEIRS[0]], 0]);
});

it("downloads the image once; the machines from it install their guest agent and become nodes", async () => {
  downloads = 0;
  const run = await lab.up();
  expect([run.code, run.code === 0 ? "" : run.stdout]).toEqual([0, ""]);
  expect([downloads, files()]).toEqual([
    1,
    [THEIRS[0], ours(image), "snippets/mine.yaml", "snippets/proxmox-k3s-ID.yaml"],
  ]);
  expect(members()).toEqual(["k3s-master", "k3s-vm-1", "k3s-vm-2", "k3s-worker-01"]);
  for (const vmid of [120, 121]) {
    expect(conf(vmid)).toMatch(new RegExp(`^scsi0: local-lvm:vm-${vmid}-disk-0,.*size=20G`, "m"));
    expect(conf(vmid)).toMatch(/^cicustom: vendor=local:snippets\/proxmox-k3s-[0-9a-f]{16}\.yaml$/m);
    expect(conf(vmid)).toMatch(/^boot: order=.*scsi0/m);
    expect(conf(vmid)).not.toContain("import-from");
  }
  // The earlier run, which failed at the image, has already written the snippet.
  expect(lab.journal.inOrder("k3s-vm-1-claim create", "guest 120 create", "k3s-vm-1-vm create")).toBe(true);
});

it("a second up changes nothing and sends no change to Proxmox VE; nor does one after a refresh", async () => {
  const { code, changes } = await lab.up();
  expect([code, changes, lab.asked]).toEqual([0, {}, []]);
  const refreshed = await lab.up("--refresh");
  expect([refreshed.code, refreshed.changes]).toEqual([0, {}]);
});

it("another image is downloaded for new nodes; existing nodes do not change, and the old file is removed", async () => {
  lab.edit(({ pools }) => {
    pools.vms.image = { url: url("debian-14.img"), sha256: sumOf(other) };
    pools.vms.count = 3;
  });
  const { code, changes, stdout } = await lab.up();
  expect([code, code === 0 ? "" : stdout]).toEqual([0, ""]);
  expect(changes).toMatchObject({ [OTHER]: ["create"], [IMAGE]: ["delete"], "k3s-vm-3": ["create"] });
  expect(Object.keys(changes).filter((name) => /^k3s-(vm-[12]|master|worker)/.test(name))).toEqual([]);
  expect(files()).toEqual([THEIRS[0], ours(other), "snippets/mine.yaml", "snippets/proxmox-k3s-ID.yaml"]);
  expect(lab.vms.disks.get("local-lvm:vm-122-disk-0")?.from).toContain(`-${sumOf(other).slice(0, 12)}.qcow2`);
});

it("an image that somebody has uploaded is used as it is; the snippet stays for the machines that name it", async () => {
  lab.edit(({ pools }) => {
    pools.vms.image = { volume: "local:import/mine.qcow2" };
    pools.vms.installAgent = false;
  });
  const { code, changes } = await lab.up();
  expect([code, changes]).toEqual([0, { "homelab-preflight": ["update"], [OTHER]: ["delete"] }]);
  expect(files()).toEqual([...THEIRS, "snippets/proxmox-k3s-ID.yaml"].sort());
});

it("the snippet is removed with the last machine that names it", async () => {
  lab.edit(({ pools }) => (pools.vms.count = 0));
  const { code, changes, stdout } = await lab.up();
  expect([code, code === 0 ? "" : stdout]).toEqual([0, ""]);
  expect(changes).toMatchObject({ [SNIPPET]: ["delete"] });
  expect(lab.journal.inOrder("guest 120 destroy", `${SNIPPET} delete`)).toBe(true);
  expect([files(), lab.vms.guests.size]).toEqual([THEIRS, 0]);
});

it("destroy removes what the program downloaded, and nothing else", async () => {
  lab.edit(({ pools }) => {
    pools.vms.image = { url: url("debian-13.qcow2"), sha256: sumOf(image) };
    delete pools.vms.installAgent;
    pools.vms.count = 1;
  });
  expect((await lab.up()).code).toBe(0);
  expect(files()).toContain(ours(image));
  const { code, stdout } = await lab.destroy();
  expect([code, code === 0 ? "" : stdout]).toEqual([0, ""]);
  expect([files(), lab.vms.guests.size]).toEqual([THEIRS, 0]);
});
