import * as fs from "node:fs";
import { Homelab } from "../support/homelab";
import type { Entry } from "../support/journal";
import type { PulumiResult } from "../support/pulumiResult";
import { succeeded } from "../support/succeeded";

/*
 * A virtual machine whose creation is interrupted at different moments, and one that a refresh has removed from the state. For
 * containers: interruption.test.ts and byHand.test.ts. The tests build on each other.
 */

jest.setTimeout(600_000);

const TEMPLATE = 9000;
const VMID = 120;
const VMS = {
  ...{ kind: "vm", role: "agent", count: 1, hostname: "k3s-vm-{0}", template: TEMPLATE, vmIds: { from: VMID } },
  ...{ addresses: { from: "192.168.2.40" }, cores: 2, memory: "4GB", disk: "20GB" },
};

let lab: Homelab;
beforeAll(async () => {
  lab = await Homelab.start();
  await lab.makeVmTemplate(TEMPLATE);
  lab.edit(({ pools }) => (pools.worker.count = 0));
  succeeded(await lab.up());
  lab.edit(({ pools }) => (pools.vms = VMS));
});
beforeEach(() => lab.journal.clear());
afterAll(() => lab?.dispose());

const begins = (what: string) => (entry: Entry) => entry.what === what;
const recover = () => lab.command("recover", "--stack", "homelab", "--yes");
const vmids = (): number[] => [...lab.vms.guests.keys()].filter((vmid) => vmid !== TEMPLATE);
const confFile = `etc/pve/nodes/pve/qemu-server/${VMID}.conf`;

const isThere = (): boolean => lab.host.conf(String(VMID)) !== undefined;
const text = (): string => fs.readFileSync(lab.host.confFile(VMID), "utf8");
const unchanged = ({ code, changes }: PulumiResult): void => expect([code, changes]).toEqual([0, {}]);

async function killedAt(moment: string): Promise<void> {
  await lab.killed(begins(moment), "up");
  await lab.cancel();
  await lab.idle();
}

it("before the clone begins: the next run continues by itself", async () => {
  await killedAt("k3s-vm-1-claim create");
  expect(vmids()).toEqual([]);
});

it.each([
  ["the clone", `guest ${VMID} clone`],
  ["the first start", `guest ${VMID} start`],
])("inside %s: recover names the machine and removes it", async (_, moment) => {
  await killedAt(moment);
  expect(vmids()).toEqual([VMID]);
  const { code, stdout, stderr } = await recover();
  expect([code, stderr]).toEqual([0, ""]);
  expect(stdout).toContain(`guest ${VMID} (k3s-vm-1): its creation was interrupted, and it is not in the state`);
  expect([vmids(), isThere()]).toEqual([[], false]);
});

it("inside a clone without a name yet: recover names its VMID and the remedy, and does not touch it", async () => {
  await killedAt(`guest ${VMID} clone`);
  const made = text();
  lab.host.put(confFile, "lock: clone\n");
  const { code, stdout } = await recover();
  expect(code).toBe(1);
  expect(stdout).toContain(`error: guest ${VMID} is being created, or its creation was interrupted`);
  expect(stdout).toContain(`if none does: qm unlock ${VMID} && qm destroy ${VMID} on pve`);
  expect(text()).toBe("lock: clone\n");
  const up = await lab.up();
  expect(up.errors.join("\n")).toContain(
    `VMID ${VMID}, wanted for k3s-vm-1, is being created, or its creation was interrupted`,
  );
  lab.host.put(confFile, made);
  expect((await recover()).code).toBe(0);
  expect(vmids()).toEqual([]);
});

it.each([
  ["the first boot", "k3s-vm-1-vm create"],
  ["the read of its host key", "k3s-vm-1-host-key create"],
])("inside %s: the next run continues by itself", async (_, moment) => {
  await killedAt(moment);
  expect(vmids()).toEqual([VMID]);
});

it("ends with the same result as an up without an interruption", async () => {
  succeeded(await lab.up());
  expect([...lab.host.members.keys()].sort()).toEqual(["k3s-master", "k3s-vm-1"]);
  unchanged(await lab.up());
});

it.each([
  ["a new one", []],
  ["one that is rebuilt", ["--replace", "**VmLegacy::k3s-vm-2"]],
])("after a clone that never got its settings, the next run makes the machine again: %s", async (_, options) => {
  const [second, file] = ["k3s-vm-2", VMID + 1];
  const settings = (): string => fs.readFileSync(lab.host.confFile(file), "utf8");
  lab.edit(({ pools }) => (pools.vms.count = 2));
  lab.faults.set({
    ...{ kind: "error", method: "PUT", path: `/qemu/${file}/config$` },
    ...{ status: 500, text: "can't lock file", count: 1 },
  });
  const failed = await lab.up(...options);
  expect([failed.code, failed.failed]).toEqual([1, [second]]);
  expect(settings()).not.toContain("192.168.2.41/24");
  const run = await lab.up();
  succeeded(run);
  expect(run.changes[second]).toEqual(["delete-replaced", "replace", "create-replacement"]);
  expect(run.warnings.join("\n")).toContain(
    `${second}: the creation of guest ${file} failed before it had all its settings, so it is destroyed and created again`,
  );
  for (const setting of ["ipconfig0: gw=192.168.2.1,ip=192.168.2.41/24\n", "balloon: 0\n", "net0: virtio=02:"])
    expect(settings()).toContain(setting);
  unchanged(await lab.up());
});

it("a machine that a refresh has removed from the state is put back, and nothing else changes", async () => {
  const conf = text();
  const elsewhere = confFile.replace("/pve/qemu-server", "/pve2/qemu-server");
  lab.host.put(elsewhere, conf);
  lab.host.remove(confFile);
  const run = await lab.up("--refresh");
  expect([run.code, run.failed]).toEqual([1, ["k3s-vm-1"]]);
  expect(run.errors.join("\n")).toContain(
    `bring it back: qm migrate ${VMID} pve --online on pve2; then npx proxmox-k3s recover`,
  );
  const away = await recover();
  expect([away.code, away.stdout]).toEqual([
    1,
    expect.stringContaining(`next:  qm migrate ${VMID} pve --online on pve2`),
  ]);

  lab.host.put(confFile, conf);
  lab.host.remove(elsewhere);
  const back = await recover();
  expect([back.code, back.stderr]).toEqual([0, ""]);
  expect(back.stdout).toContain(`- take guest ${VMID} (k3s-vm-1) into the state again`);
  lab.journal.clear();
  succeeded(await lab.up("--refresh"));
  unchanged(await lab.up());
  expect(lab.journal.whats("machine")).toEqual([]);
  expect(text()).toBe(conf);
  succeeded(await lab.destroy());
  expect(vmids()).toEqual([]);
});
