import * as fs from "node:fs";
import * as path from "node:path";
import { parse } from "yaml";
import { Homelab } from "../support/homelab";
import { nameOf, type PreviewStep, unknowns } from "../support/previewSteps";
import type { PulumiResult } from "../support/pulumiResult";

/** A mixed cluster: a server in a container, agents in containers and in virtual machines. The tests build on each other. */

jest.setTimeout(600_000);

const TEMPLATE = 9000;
const MACHINE = "proxmoxve:index/vmLegacy:VmLegacy";
const IP_POOL = { vmIds: { from: 120 }, addresses: { from: "192.168.2.40" } };

let lab: Homelab;
let preview: PulumiResult;
beforeAll(async () => {
  lab = await Homelab.start();
  preview = await previewOf("Pulumi.mixed.yaml");
  await lab.makeVmTemplate(TEMPLATE);
  lab.edit(({ pools }) => {
    pools.worker.count = 1;
    pools.vms = {
      ...{ kind: "vm", role: "agent", count: 2, hostname: "k3s-vm-{0}", template: TEMPLATE, ...IP_POOL },
      ...{ cores: 2, memory: "4GB", disk: "20GB" },
    };
  });
});
beforeEach(() => {
  lab.journal.clear();
  lab.exchanges.length = 0;
});
afterAll(() => lab?.dispose());

/** The preview of a stack file of the repository, without a credential. */
async function previewOf(file: string): Promise<PulumiResult> {
  const { name, ...mine } = lab.cluster;
  const [credentials, text] = [{ ...lab.env }, fs.readFileSync(path.join(__dirname, "../..", file), "utf8")];
  lab.takeCredentials();
  lab.edit((cluster) => Object.assign(cluster, parse(text).config["proxmox-k3s:cluster"]));
  const run = await lab.preview();
  Object.assign(lab.env, credentials);
  lab.edit((cluster) => Object.assign(cluster, { name, ...mine }));
  return run;
}

describe("the first preview of Pulumi.mixed.yaml, without a credential and without a network", () => {
  const steps = (): PreviewStep[] => JSON.parse(preview.stdout).steps;

  it("creates the resources of each kind, and nothing else", () => {
    expect([preview.code, preview.errors]).toEqual([0, []]);
    const of = (node: string): string[] =>
      steps()
        .filter((step) => nameOf(step) === node || nameOf(step).startsWith(`${node}-`))
        .map((step) => `${step.op} ${nameOf(step)} ${step.newState.type.split(":").at(-1)}`.replace(`${node}`, "N"))
        .sort();
    const scripts = ["artifacts", "guard", "host-key", "k3s", "leave", "ready", "rules"];
    const expected = (machine: string, component: string, step: string): string[] =>
      [
        ...[`create N ${machine}`, `create N ${component}`, "create N K3sNode"],
        ...[...scripts, step].map((script) => `create N-${script} Command`),
      ].sort();
    expect(of("mixed-light-1")).toEqual(expected("ContainerLegacy", "LxcK3sContainer", "lxc"));
    for (const node of ["mixed-worker-1", "mixed-worker-2"])
      expect(of(node)).toEqual(expected("VmLegacy", "VmK3sMachine", "vm"));
  });

  it.each([
    { name: "mixed-worker-1", vmId: 110, address: "192.168.2.31/24" },
    { name: "mixed-worker-2", vmId: 111, address: "192.168.2.32/24" },
  ])("shows $name exactly", ({ name, vmId, address }) => {
    const { inputs } = steps().find((step) => nameOf(step) === name && step.newState.type === MACHINE)!.newState;
    expect(inputs).toMatchObject({
      ...{ nodeName: "pve", vmId, name, tags: ["k3s-mixed"], poolId: "mixed", onBoot: true, started: true },
      clone: { vmId: 9000, full: true, datastoreId: "local-lvm" },
      cpu: { cores: 4, type: "x86-64-v2-AES" },
      memory: { dedicated: 8192, floating: 0 },
      scsiHardware: "virtio-scsi-single",
      disks: [{ interface: "scsi0", datastoreId: "local-lvm", size: 50, discard: "on", iothread: true }],
      initialization: {
        ...{ upgrade: false, dns: { servers: ["192.168.2.1"] } },
        ipConfigs: [{ ipv4: { address, gateway: "192.168.2.1" } }],
        userAccount: { username: "root" },
      },
      networkDevices: [{ bridge: "vmbr0", macAddress: expect.stringMatching(/^02(:[0-9A-F]{2}){5}$/) }],
    });
  });

  it("knows all values of the machines that are not random or assigned later", () => {
    const found = steps()
      .filter((step) => nameOf(step).startsWith("mixed-worker-"))
      .flatMap((step) => unknowns(step.newState.inputs ?? {}).map((at) => `${nameOf(step).slice(14)} ${at}`.trim()));
    const scripts = ["artifacts", "guard", "host-key", "leave", "ready", "rules", "vm"];
    expect([...new Set(found)].sort()).toEqual(
      [
        ...["description", "-k3s triggers.0"],
        ...scripts.flatMap((script) => [`-${script} stdin`, `-${script} triggers.0`]),
      ].sort(),
    );
  });
});

const conf = (vmid: number): string => {
  const options = lab.host.conf(String(vmid))?.options ?? new Map<string, string>();
  return [...options].map(([key, value]) => `${key}: ${value}\n`).join("");
};
/** The machines of nodes; {@link keepers} are the guests that keep disks. */
const vmids = (): number[] => [...lab.vms.guests.keys()].filter((vmid) => vmid < 300).sort();
const keepers = (): number[] => [...lab.vms.guests.keys()].filter((vmid) => vmid >= 300 && vmid !== TEMPLATE).sort();
const members = (): string[] => [...lab.host.members.keys()].sort();
/** Changes of a guest itself, without its firewall, which changes with every node that joins or leaves. */
const actsOn = (vmid: number): string[] =>
  lab.journal.whats("machine").filter((what) => what.startsWith(`guest ${vmid} `) && !what.endsWith(" firewall"));

it("makes clones of the template, which become nodes together with the containers", async () => {
  const run = await lab.up();
  expect([run.code, run.code === 0 ? "" : run.stdout]).toEqual([0, ""]);
  expect(members()).toEqual(["k3s-master", "k3s-vm-1", "k3s-vm-2", "k3s-worker-01"]);
  expect(vmids()).toEqual([120, 121]);
  expect(conf(120)).toMatch(/^scsi0: local-lvm:vm-120-disk-0,.*size=20G/m);
  expect(conf(120)).toContain("ipconfig0: gw=192.168.2.1,ip=192.168.2.40/24\n");
  expect(conf(120)).toContain("cpu: x86-64-v2-AES\n");
  expect(conf(120)).toMatch(/^net0: virtio=02(:[0-9A-F]{2}){5}/m);
  expect(conf(120)).toContain("balloon: 0\n");
  // The machines wait only for the checks, but their K3s waits for the server's.
  expect(lab.journal.inOrder("k3s-master-k3s create", "k3s-vm-1-k3s create")).toBe(true);
  expect(lab.journal.inOrder("k3s-vm-1-claim create", "guest 120 clone", "k3s-vm-1-vm create")).toBe(true);
});

it("a second up changes nothing and sends no change to Proxmox VE", async () => {
  const { code, changes } = await lab.up();
  expect([code, changes]).toEqual([0, {}]);
  expect(lab.asked).toEqual([]);
  const refreshed = await lab.up("--refresh");
  expect([refreshed.code, refreshed.changes]).toEqual([0, {}]);
});

it("more memory reboots the machines one after another, and their nodes become Ready again", async () => {
  lab.edit(({ pools }) => (pools.vms.memory = "6GB"));
  const { code, changes, stdout } = await lab.up();
  expect([code, code === 0 ? "" : stdout]).toEqual([0, ""]);
  expect(changes).toEqual({ "k3s-vm-1": ["update"], "k3s-vm-2": ["update"] });
  for (const vmid of [120, 121]) {
    expect(actsOn(vmid)).toEqual([`guest ${vmid} shutdown`, `guest ${vmid} start`]);
    expect(conf(vmid)).toContain("memory: 6144\n");
  }
  const turns = ["guest 120 start", "k3s-vm-1-back look"];
  expect(lab.journal.inOrder(...turns)).toBe(true);
});

it("a disk and its file system grow while the machine runs", async () => {
  lab.vms.grown.length = 0;
  lab.edit(({ pools }) => (pools.vms.nodes = { 2: { disk: "30GB" } }));
  const { code, changes, stdout } = await lab.up();
  expect([code, code === 0 ? "" : stdout]).toEqual([0, ""]);
  // Not through the client, which would remove other disks.
  expect(changes).toEqual({ "homelab-preflight": ["update"], "k3s-vm-2-vm": ["update"] });
  expect(actsOn(121)).toEqual([]);
  expect(conf(121)).toMatch(/^scsi0: .*size=30G/m);
  expect(lab.vms.grown).toEqual([121]);
  expect((await lab.up("--refresh")).changes).toEqual({});
});

it("another template and another region do not change existing machines", async () => {
  lab.edit(({ pools, proxmox }) => {
    pools.vms.template = 9001;
    proxmox.region = "lab";
  });
  const { changes } = await lab.up();
  lab.edit(({ pools }) => (pools.vms.template = TEMPLATE));
  expect(changes).toEqual({ "homelab-preflight": ["update"] });
});

it("if the middle machine of three is retired, it is drained and leaves, and no other one changes", async () => {
  lab.edit(({ pools }) => (pools.vms.count = 3));
  expect((await lab.up()).code).toBe(0);
  lab.edit(({ pools }) => {
    pools.vms.count = 2;
    pools.vms.retired = [2];
  });
  lab.journal.clear();
  const { code, stdout } = await lab.up();
  expect([code, code === 0 ? "" : stdout]).toEqual([0, ""]);
  expect(vmids()).toEqual([120, 122]);
  expect(members()).toEqual(["k3s-master", "k3s-vm-1", "k3s-vm-3", "k3s-worker-01"]);
  expect(lab.journal.inOrder("k3s-vm-2-leave delete", "k3s-vm-2-guard delete", "guest 121 destroy")).toBe(true);
  expect([...actsOn(120), ...actsOn(122)]).toEqual([]);
  // Each keeps the region in which it was made.
  for (const [vmid, region] of [
    [120, "pve"],
    [122, "lab"],
  ] as const)
    expect(lab.machines.disk(vmid).k3s?.config).toContain(`- provider-id=proxmox://${region}/${vmid}\n`);
});

it("another person's machine with a VMID of ours is named and not touched", async () => {
  const theirs = "name: nas\nmemory: 512\nscsi0: local-lvm:vm-123-disk-0,size=8G\n";
  lab.host.put("etc/pve/nodes/pve/qemu-server/123.conf", theirs);
  lab.edit(({ pools }) => (pools.vms.count = 3));
  const { code, failed, stdout } = await lab.up();
  expect([code, failed]).toEqual([1, ["k3s-vm-4"]]);
  expect(stdout).toContain('VMID 123, wanted for k3s-vm-4, belongs to the guest "nas"');
  expect(conf(123)).toContain("name: nas\n");
  lab.edit(({ pools }) => (pools.vms.count = 2));
  lab.host.remove("etc/pve/nodes/pve/qemu-server/123.conf");
  expect((await lab.up()).code).toBe(0);
});

describe("a machine that does not start properly", () => {
  const add = async (): Promise<string> => {
    lab.edit(({ pools }) => (pools.vms.count = 3));
    const { code, failed, stdout } = await lab.up();
    expect([code, failed]).toEqual([1, ["k3s-vm-4-vm"]]);
    return stdout;
  };

  it("without a guest agent: one error says what to do, and the machine can be removed again", async () => {
    lab.vms.withoutAgent.add(123);
    expect(await add()).toMatch(
      /the guest agent of k3s-vm-4 \(123\) does not answer 300 s after its start\s+next: +look at its console with qm terminal 123/,
    );
    lab.edit(({ pools }) => (pools.vms.count = 2));
    expect((await lab.up()).code).toBe(0);
    expect(vmids()).toEqual([120, 122]);
    lab.vms.withoutAgent.clear();
  });

  it("with a failed cloud-init: the error names the module and the line, and after a fix up continues", async () => {
    lab.vms.cloudInit = (vmid) => {
      if (vmid !== 123) return "done";
      const disk = lab.machines.disk(vmid);
      const errors = ["('locale', ProcessExecutionError(\"Unexpected error while running command.\"))"];
      disk.write("run/cloud-init/result.json", JSON.stringify({ v1: { datasource: "NoCloud", errors } }, null, 1));
      const line = "2026-11-28 10:00:01,000 - util.py[WARNING]: Running module locale failed";
      disk.write("var/log/cloud-init.log", `cc_locale.py[DEBUG]: nothing\n${line}\n`);
      return "error";
    };
    const stdout = await add();
    expect(stdout).toMatch(/cloud-init in k3s-vm-4 \(123\) ended in error:\s+"\('locale', ProcessExecutionError/);
    expect(stdout).toContain("util.py[WARNING]: Running module locale failed");
    expect(stdout).not.toContain("cc_locale.py[DEBUG]");
    lab.vms.cloudInit = () => "done";
    expect((await lab.up()).code).toBe(0);
    expect(members()).toContain("k3s-vm-4");
  });
});

describe("further disks", () => {
  const DATA = "local-lvm:vm-323-disk-0";
  const line = (vmid: number): string | undefined => /^scsi\d+: .*serial=data.*$/m.exec(conf(vmid))?.[0];

  it("are added while the machines run, each on its own guest, which cannot be started", async () => {
    lab.edit(({ pools }) =>
      Object.assign(pools.vms, { disks: [{ serial: "data", size: "10GB" }], disksVmIds: { from: 320 } }),
    );
    const { code, changes, stdout } = await lab.up();
    expect([code, code === 0 ? "" : stdout]).toEqual([0, ""]);
    expect(changes).toEqual(
      Object.fromEntries([
        ["homelab-preflight", ["update"]],
        ...[1, 3, 4].flatMap((index) => [
          [`k3s-vm-${index}-disks`, ["create"]],
          [`k3s-vm-${index}-vm`, ["update"]],
          // Longhorn may need long to release one of them.
          [`k3s-vm-${index}-ready`, ["update"]],
        ]),
      ]),
    );
    expect(keepers()).toEqual([320, 322, 323]);
    expect(line(323)).toBe(`scsi0: ${DATA},backup=0,serial=data,size=10G`);
    expect(line(123)).toBe(`scsi1: ${DATA},discard=on,iothread=1,serial=data,size=10G`);
    expect(lab.vms.guests.get(123)!.applied).toContain("scsi1");
    await expect(lab.qm("start", "323")).rejects.toThrow("if it's a template");
    expect((await lab.up("--refresh")).changes).toEqual({});
  });

  it("grow while the machine runs, together with the root disk; a disk that somebody added stays", async () => {
    await lab.qm("set", "123", "--scsi5", "local-lvm:3,serial=theirs");
    lab.edit(({ pools }) => (pools.vms.nodes[4] = { disks: [{ serial: "data", size: "15GB" }], disk: "25GB" }));
    const { code, changes, stdout } = await lab.up();
    expect([code, code === 0 ? "" : stdout]).toEqual([0, ""]);
    expect(Object.keys(changes).sort()).toEqual(["homelab-preflight", "k3s-vm-4-disks", "k3s-vm-4-vm"]);
    expect([line(123), line(323)]).toEqual([expect.stringMatching(/size=15G$/), expect.stringMatching(/size=15G$/)]);
    expect(conf(123)).toMatch(/^scsi0: .*size=25G/m);
    expect(conf(123)).toMatch(/^scsi5: .*serial=theirs/m);
    expect(lab.vms.disks.get(DATA)?.bytes).toBe(15 * 1024 ** 3);
    expect(actsOn(123)).toEqual([]);
    await lab.qm("set", "123", "--delete", "scsi5", "--force", "1");
  });

  it("survive a rebuild: a new VMID, and the same disk", async () => {
    const disk = lab.vms.disks.get(DATA);
    lab.edit(({ pools }) => (pools.vms.nodes[4].vmId = 140));
    const { code, stdout } = await lab.up();
    expect([code, code === 0 ? "" : stdout]).toEqual([0, ""]);
    expect(vmids()).toEqual([120, 122, 140]);
    expect(members()).toContain("k3s-vm-4");
    expect(line(140)).toBe(`scsi1: ${DATA},discard=on,iothread=1,serial=data,size=15G`);
    expect(lab.vms.disks.get(DATA)).toBe(disk);
  });

  it("stay when the node leaves, are named, and belong to the node again when it comes back", async () => {
    lab.edit(({ pools }) => (pools.vms.count = 2));
    const { code, stdout, errors } = await lab.up();
    expect([code, code === 0 ? "" : stdout]).toEqual([0, ""]);
    expect([stdout, ...errors].join("\n")).toContain("the further disks of k3s-vm-4 stay (data), on guest 323");
    expect([vmids(), keepers()]).toEqual([
      [120, 122],
      [320, 322, 323],
    ]);
    const named = await lab.command("recover", "--stack", "homelab", "--yes");
    expect([named.code, named.stdout]).toEqual([
      0,
      expect.stringContaining("if nobody needs its disks: qm set 323 --protection 0 && qm destroy 323 on pve"),
    ]);
    lab.edit(({ pools }) => (pools.vms.count = 3));
    expect((await lab.up()).code).toBe(0);
    expect(line(140)).toContain(DATA);
  });
});

it("destroy needs no running machine, and deletes further disks if the config says so", async () => {
  lab.edit((cluster) => (cluster.removal = { onDisks: "delete" }));
  expect((await lab.up()).changes).toEqual({ "homelab-roster": ["update"] });
  await lab.vms.stop(122);
  lab.vms.withoutAgent.add(120);
  const { code, stdout } = await lab.destroy();
  expect([code, code === 0 ? "" : stdout]).toEqual([0, ""]);
  expect([vmids(), keepers()]).toEqual([[], []]);
  expect(lab.machines.guests.size).toBe(0);
});
