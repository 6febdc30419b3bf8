import { Homelab } from "../support/homelab";
import { nameOf, type PreviewStep, unknowns } from "../support/previewSteps";
import { stackCluster } from "../support/program";

/*
 * The first preview of the stacks for S4 and S5, without a credential and without a network. Those of Pulumi.homelab.yaml and
 * Pulumi.mixed.yaml are in preview.test.ts and vms.test.ts.
 */

jest.setTimeout(300_000);

let lab: Homelab;
beforeAll(async () => {
  lab = await Homelab.start();
  lab.takeCredentials();
});
afterAll(() => lab?.dispose());

const MACHINE = "proxmoxve:index/vmLegacy:VmLegacy";

async function stepsOf(file: string): Promise<PreviewStep[]> {
  lab.edit((cluster) => {
    for (const key of Object.keys(cluster)) delete (cluster as Record<string, unknown>)[key];
    Object.assign(cluster, stackCluster(file));
  });
  const preview = await lab.preview();
  expect([preview.code, preview.errors]).toEqual([0, []]);
  return JSON.parse(preview.stdout).steps;
}
const machine = (steps: readonly PreviewStep[], name: string): Record<string, unknown> =>
  steps.find((step) => nameOf(step) === name && step.newState.type === MACHINE)!.newState.inputs!;

test("Pulumi.onboarding.yaml: two machines, each with a disk that survives it", async () => {
  const steps = await stepsOf("Pulumi.onboarding.yaml");
  expect(new Set(steps.map(({ op }) => op))).toEqual(new Set(["create"]));
  const named = steps.map(nameOf);
  for (const [name, vmId] of [
    ["k3s1", 171],
    ["k3s2", 172],
  ] as const) {
    expect(machine(steps, name)).toMatchObject({ vmId, name, memory: { dedicated: 8192 } });
    expect(named).toEqual(expect.arrayContaining([`${name}-disks`, `${name}-vm`, `${name}-artifacts`, `${name}-k3s`]));
  }
});

test("Pulumi.mizar.yaml: VM 136 as in S5, and its whole NixOS module", async () => {
  const steps = await stepsOf("Pulumi.mizar.yaml");
  expect(machine(steps, "mizar")).toMatchObject({
    ...{ nodeName: "pve", vmId: 136, name: "mizar", agent: { enabled: true } },
    clone: { vmId: 9903, full: true, datastoreId: "Cesspool-VM" },
    ...{ cpu: { cores: 4 }, memory: { dedicated: 16384 } },
    disks: [{ interface: "scsi0", datastoreId: "Cesspool-VM", size: 32 }],
    initialization: { ipConfigs: [{ ipv4: { address: "172.22.0.136/24", gateway: "172.22.0.1" } }] },
    networkDevices: [{ bridge: "vmbr0", macAddress: "BC:24:11:B3:ED:03" }],
  });
  const command = (name: string) => steps.find((step) => nameOf(step) === name)!.newState.inputs!;
  expect(command("mizar-artifacts")["create"]).toContain('matchConfig.MACAddress = "BC:24:11:B3:ED:03";');
  expect(unknowns(command("mizar-artifacts"))).toEqual(unknowns(command("hamal-artifacts")));
  expect(command("mizar-artifacts")["create"]).toContain('serverAddr = "https://172.22.0.134:6443";');
});
