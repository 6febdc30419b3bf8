import { ignoredChanges } from "../../components/machine/byHand";
import { containerSettings } from "../../components/machine/containerSettings";
import { vmSettings } from "../../components/machine/vmSettings";
import { loadPlan } from "../../plan/load";
import type { LxcNodePlan, VmNodePlan } from "../../plan/model";
import { changed, homelabConfig } from "../unit/config/support";

/* What Proxmox VE gets, and what it does not get if the config does not have it. */

const vms = { kind: "vm", role: "agent", count: 1, template: 9000, cores: 2, memory: "4GB", disk: "20GB" };
const plan = (pool: object = {}, worker: object = {}) =>
  loadPlan(
    changed(homelabConfig(), {
      pools: { worker, vms: { ...vms, vmIds: { from: 120 }, addresses: { from: "192.168.2.40" }, ...pool } },
    }),
  );
const vm = (pool?: object) => plan(pool).nodes.find((node): node is VmNodePlan => node.kind === "vm")!;
const container = (worker?: object) =>
  plan({}, worker).agents.find((node): node is LxcNodePlan => node.kind === "lxc")!;

test("firmware and chipset are the template's, and reach new machines only", () => {
  const inputs = vmSettings(vm(), plan());
  expect([inputs.bios, inputs.machine]).toEqual([undefined, undefined]);
  expect(vmSettings(vm({ bios: "ovmf", machine: "q35" }), plan())).toMatchObject({ bios: "ovmf", machine: "q35" });
  expect(vmSettings(vm({ bios: "seabios", machine: "i440fx" }), plan())).toMatchObject({
    bios: "seabios",
    machine: "pc",
  });
  expect(ignoredChanges(vm({ bios: "ovmf", machine: "q35" }))).toEqual(expect.arrayContaining(["bios", "machine"]));
});

test("a machine from an image with UEFI gets an EFI disk, and a clone has that of its template", () => {
  const image = { template: undefined, image: { volume: "local:import/debian-12.qcow2" }, bios: "ovmf" };
  expect(vmSettings(vm({ bios: "ovmf" }), plan())).not.toHaveProperty("efiDisk");
  expect(vmSettings(vm({ ...image, bios: undefined }), plan())).not.toHaveProperty("efiDisk");
  expect(vmSettings(vm(image), plan())).toMatchObject({ efiDisk: { datastoreId: "local-lvm", type: "4m" } });
});

test("CPU units may be changed by hand unless the config has them, for both kinds", () => {
  expect(vmSettings(vm(), plan()).cpu).toEqual({ cores: 2, type: "x86-64-v2-AES" });
  expect(vmSettings(vm({ cpuUnits: 200 }), plan()).cpu).toEqual({ cores: 2, type: "x86-64-v2-AES", units: 200 });
  expect(containerSettings(container(), plan()).cpu).toEqual({ cores: 4 });
  expect(containerSettings(container({ cpuUnits: 50 }), plan()).cpu).toEqual({ cores: 4, units: 50 });
  for (const [node, units] of [
    [vm(), true],
    [container(), true],
    [vm({ cpuUnits: 200 }), false],
    [container({ cpuUnits: 200 }), false],
  ] as const)
    expect(ignoredChanges(node).includes("cpu.units")).toBe(units);
});

test("the client changes no disk of a machine that exists, and knows only the root disk", () => {
  const disks = { disks: [{ serial: "data", size: "10GB" }], disksVmIds: { from: 320 } };
  expect(vmSettings(vm(disks), plan(disks)).disks).toHaveLength(1);
  expect(ignoredChanges(vm(disks))).toContain("disks");
});
