import * as fs from "node:fs";
import * as path from "node:path";

import { labPaths } from "../../lab/lab";
import { Lab } from "../support/lab";

/*
 * One `up`, whose engine and plugins are killed (SIGKILL) at five moments. Each time the next run continues: after `pulumi cancel`
 * and, if an error names a command, after that command. The tests build on each other.
 */

const lab = new Lab("interruption");
const paths = labPaths(lab.name);

interface Resource {
  readonly urn: string;
  readonly type: string;
  readonly inputs: { readonly vmId?: number };
  readonly outputs?: { readonly stdout?: string };
}
const state = async (): Promise<Resource[]> =>
  JSON.parse(await lab.pulumiOk("stack", "export")).deployment.resources ?? [];
const status = async () => JSON.parse((await lab.cli("status", "--json")).stdout);

/** What a person would compare: the guests of `lab status` and the machines in the state. */
async function guestsAndMachines(): Promise<{ guests: number[]; machines: number[] }> {
  const [{ guests }, resources] = [await status(), await state()];
  return {
    guests: guests.map(({ vmid }: { vmid: number }) => vmid),
    machines: resources.flatMap(({ type, inputs }) => (type.includes("containerLegacy") ? [inputs.vmId!] : [])).sort(),
  };
}

const isBeingMade = (vmid: number) => (): boolean => {
  const file = path.join(paths.etcPve, "nodes/pve/lxc", `${vmid}.conf`);
  return fs.existsSync(file) && /^lock: create$/m.test(fs.readFileSync(file, "utf8"));
};
/** A script writes its log as soon as it begins: on the host, or on the node where it runs. */
const onHost = (step: string) => (): boolean =>
  fs.existsSync(path.join(paths.hostUpper, "var/log/proxmox-k3s", `${step}.log`));
const onNode = (vmid: number, step: string) => (): boolean =>
  fs.existsSync(path.join(paths.lxc, String(vmid), "rootfs/var/log/proxmox-k3s", `${step}.log`));

async function killedAt(moment: () => boolean): Promise<void> {
  await lab.killed(moment, "up", "--yes", "--skip-preview");
  await lab.pulumiOk("cancel", "--yes");
}

beforeAll(async () => {
  await lab.down();
  await lab.up();
}, 40 * 60_000);
afterAll(() => lab.down(), 120_000);

it("inside a guest's creation: the next up names the command after which it can continue", async () => {
  // A worker process of Proxmox VE dies, too: its guest stays incomplete and locked.
  await lab.cli("fault", "set", "task-lost", "--task", "vzcreate", "--guest", "102", "--count", "1");
  await killedAt(() => isBeingMade(100)() && isBeingMade(102)());
  const { code, stdout } = await lab.pulumi("up", "--yes", "--skip-preview");
  expect(code).not.toBe(0);
  const [, command] = /^\s*next: +npx proxmox-k3s (\S+)/m.exec(stdout) ?? [];
  expect(command).toBe("recover");
  const recovered = await lab.cluster("recover", "--yes");
  expect([recovered.code, recovered.stderr]).toEqual([0, ""]);
  const { guests, machines } = await guestsAndMachines();
  expect(guests).toEqual(machines);
  expect(guests).not.toContain(100);
  expect(guests).not.toContain(102);
}, 200_000);

it("inside the preparation of containers: all of them are in the state", async () => {
  const isPreparing = ["k3s-master", "k3s-worker-01", "k3s-worker-02"].map((name) => onHost(`${name}-lxc`));
  await killedAt(() => isPreparing.every((begun) => begun()));
  expect(await guestsAndMachines()).toEqual({ guests: [100, 102, 103], machines: [100, 102, 103] });
}, 200_000);

it("inside the installation of K3s: the script runs on, and the next run waits for it and finds nothing to do", async () => {
  await killedAt(onNode(100, "k3s-master-k3s"));
  // The script is still running: its lock is held.
  await expect(lab.host("pct exec 100 -- flock -n /run/proxmox-k3s.locks/k3s true")).rejects.toThrow();
  await killedAt(onNode(102, "k3s-worker-01-k3s"));
  const k3s = (await state()).find(({ urn }) => urn.endsWith("::k3s-master-k3s"));
  expect(k3s?.outputs?.stdout).toContain("unchanged\n");
}, 300_000);

it("inside the wait for a node: the next run has the same result as one without an interruption", async () => {
  await killedAt(onHost("k3s-worker-02-ready"));
  await lab.pulumiOk("up", "--yes", "--skip-preview");
  const { nodes } = await status();
  expect(nodes.map(({ name, ready }: { name: string; ready: boolean }) => [name, ready])).toEqual([
    ["k3s-master", true],
    ["k3s-worker-01", true],
    ["k3s-worker-02", true],
  ]);
  expect(await guestsAndMachines()).toEqual({ guests: [100, 102, 103], machines: [100, 102, 103] });
  // recover removes only the pending operations from the state.
  const { code, stdout } = await lab.cluster("recover", "--yes");
  expect([code, stdout]).toEqual([
    0,
    expect.stringMatching(/:\n {2}- remove the pending operations from the state\nnext: {2}pulumi up\n$/),
  ]);
  const second = await lab.pulumiOk("up", "--yes", "--skip-preview", "--expect-no-changes");
  expect(second).not.toContain("pending operations");
}, 300_000);
