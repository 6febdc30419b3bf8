import * as fs from "node:fs";
import { parseDocument } from "yaml";
import { requestsBetween } from "../../lab/demo/requests";
import type { LabStatus } from "../../lab/commands/status";
import { stackFile } from "../../lab/stack";
import { vmTemplateId } from "../../lab/vms/vmTemplate";
import { eventually, Lab } from "../support/lab";

/*
 * The program with real virtual machines: a mixed cluster, and what changes of it do to machines and nodes. A boot in software takes
 * minutes of CPU time, so each update changes several things, and the tests build on each other.
 */

const lab = new Lab("mixed");
const minutes = (count: number) => count * 60_000;
const [CONTAINER, FIRST, MIDDLE, THIRD] = ["k3s-worker-01", "k3s-vm-01", "k3s-vm-02", "k3s-vm-03"];

beforeAll(async () => {
  await lab.down();
  await lab.up("--vms");
  // As little as a node needs: the host of the tests has no memory to spare for three.
  changePool({ memory: "1GB", disk: "4GB" });
}, minutes(40));
afterAll(() => lab.down(), minutes(2));

/** Changes keys of the pool of virtual machines. */
function changePool(keys: Readonly<Record<string, unknown>>): void {
  const file = stackFile(lab.stack);
  const stack = parseDocument(fs.readFileSync(file, "utf8"));
  for (const [key, value] of Object.entries(keys))
    stack.setIn(["config", "proxmox-k3s:cluster", "pools", "vm", key], stack.createNode(value));
  fs.writeFileSync(file, stack.toString({ lineWidth: 0 }));
}

const up = (...options: string[]): Promise<string> => lab.pulumiOk("up", "--yes", "--skip-preview", ...options);

/** Names of the nodes that are Ready, and VMIDs of the guests. */
async function seen(): Promise<{ nodes: string[]; guests: number[] }> {
  const { nodes, guests } = JSON.parse((await lab.cli("status", "--json")).stdout) as LabStatus;
  return {
    nodes: nodes.filter(({ ready }) => ready).map(({ name }) => name),
    guests: guests.filter(({ status }) => status === "running").map(({ vmid }) => vmid),
  };
}

interface Machine {
  readonly boot: string;
  readonly machineId: string;
  readonly hostKey: string;
  readonly memoryMiB: number;
  readonly fileSystemMiB: number;
}

/** The output of a shell command in the guest, by its agent. */
async function look(vmid: number): Promise<Machine> {
  const script = `cat /proc/sys/kernel/random/boot_id /etc/machine-id /etc/ssh/ssh_host_ed25519_key.pub
    awk '/^MemTotal/ {print int($2 / 1024)}' /proc/meminfo; df --output=size -BM / | tail -1 | tr -dc 0-9`;
  const lines = (await lab.inMachine(vmid, script)).split("\n");
  const [boot = "", machineId = "", hostKey = "", memory, fileSystem] = lines;
  return { boot, machineId, hostKey, memoryMiB: Number(memory), fileSystemMiB: Number(fileSystem) };
}

/** What a removed machine has left on the host. */
async function leftOf(vmid: number): Promise<string> {
  const places = `/etc/pve/qemu-server/${vmid}.conf /var/lib/vms/*/${vmid} /run/qemu-server/${vmid}.* /sys/class/net/tap${vmid}i0`;
  return lab.host(`ls -d ${places} 2>/dev/null || true`);
}

let first: Machine;
let third: Machine;

it(
  "a server and an agent in containers and an agent in a virtual machine are one cluster",
  async () => {
    await up();
    expect(await seen()).toEqual({ nodes: ["k3s-master", FIRST, CONTAINER], guests: [100, 102, 110] });
    first = await look(110);
    expect(first.fileSystemMiB).toBeGreaterThan(3500);
  },
  minutes(20),
);

it(
  "a pod on each kind of agent reaches a pod on the other, and the service",
  async () => {
    await lab.kubectl("apply", "-f", "lab/demo/hello.yaml");
    await lab.kubectl("rollout", "status", "deployment/hello", "--timeout=300s");
    const requests = await requestsBetween([CONTAINER, FIRST], (...args) => lab.kubectl(...args));
    expect(requests.map(({ from, to }) => [from, to])).toEqual([
      [CONTAINER, FIRST],
      [CONTAINER, "the service"],
      [FIRST, CONTAINER],
      [FIRST, "the service"],
    ]);
  },
  minutes(8),
);

it(
  "a second up changes nothing",
  async () => {
    await up("--expect-no-changes");
  },
  minutes(5),
);

it(
  "two more machines, while the disk and file system of the first one grow without a reboot",
  async () => {
    changePool({ count: 3, nodes: { 1: { disk: "5GB" } } });
    await up();
    expect(await seen()).toEqual({
      nodes: ["k3s-master", FIRST, MIDDLE, THIRD, CONTAINER],
      guests: [100, 102, 110, 111, 112],
    });
    const [one, two, three] = [await look(110), await look(111), await look(112)];
    expect(one).toEqual({ ...first, fileSystemMiB: expect.any(Number) });
    expect(one.fileSystemMiB).toBeGreaterThan(4500);
    // Each is a different machine, although all are clones of one disk.
    for (const identity of ["machineId", "hostKey"] as const)
      expect(new Set([one[identity], two[identity], three[identity]]).size).toBe(3);
    third = three;
  },
  minutes(25),
);

it(
  "the middle one is retired, and the first reboots for more memory; the third is not touched",
  async () => {
    changePool({ count: 2, retired: [2], nodes: { 1: { disk: "5GB", memory: "1536MB" } } });
    await up();
    expect(await seen()).toEqual({ nodes: ["k3s-master", FIRST, THIRD, CONTAINER], guests: [100, 102, 110, 112] });
    const rebooted = await look(110);
    expect(rebooted.boot).not.toBe(first.boot);
    expect(rebooted.machineId).toBe(first.machineId);
    expect(rebooted.hostKey).toBe(first.hostKey);
    expect(rebooted.memoryMiB).toBeGreaterThan(1300);
    expect(await look(112)).toEqual(third);
    expect(await leftOf(111)).toBe("");
  },
  minutes(20),
);

it(
  "the pool shrinks, and the machine that stays is rebuilt with another VMID",
  async () => {
    changePool({ count: 1, nodes: { 1: { vmId: 120, disk: "5GB", memory: "1536MB" } } });
    await up();
    expect(await seen()).toEqual({ nodes: ["k3s-master", FIRST, CONTAINER], guests: [100, 102, 120] });
    const rebuilt = await look(120);
    expect(rebuilt.machineId).not.toBe(first.machineId);
    expect(rebuilt.fileSystemMiB).toBeGreaterThan(4500);
    expect(await leftOf(110)).toBe("");
    expect(await leftOf(112)).toBe("");
  },
  minutes(20),
);

it(
  "destroy removes a machine whose QEMU was killed, and leaves only the template",
  async () => {
    await lab.host("kill -9 $(cat /run/qemu-server/120.pid)");
    await eventually(20, async () => !(await seen()).guests.includes(120));
    await lab.pulumiOk("destroy", "--yes", "--skip-preview");
    expect((await seen()).guests).toEqual([]);
    expect(await leftOf(120)).toBe("");
    expect(await lab.host("ls /var/lib/vms/local-lvm; pgrep -c qemu-system || true")).toBe(`${vmTemplateId}\n0\n`);
  },
  minutes(10),
);
