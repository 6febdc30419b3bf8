import * as fs from "node:fs";
import * as path from "node:path";
import { isDeepStrictEqual } from "node:util";

import { findLab, identify, isAlive, labCgroup, labNetwork, labPaths, labRoot } from "../../lab/lab";
import type { ProcessId } from "../../lab/lab";
import { stackFile } from "../../lab/stack";
import { eventually, Lab } from "../support/lab";
import { LabApi } from "../support/labApi";

/* A lab starts, stops, starts again, runs next to another one, and leaves the machine as it was. */

const first = new Lab("life-one");
const second = new Lab("life-two");
const labs = [first, second];

/** What a lab may leave on the machine. Other suites' labs may start and stop meanwhile, so only ours count. */
function traces(): Record<string, string[]> {
  const names = labs.map(({ name }) => name);
  const cgroups = fs.readdirSync("/sys/fs/cgroup").flatMap((hierarchy) => {
    const folder = path.join("/sys/fs/cgroup", hierarchy);
    if (!fs.statSync(folder).isDirectory()) return [];
    const found = fs
      .readdirSync(folder)
      .filter((name) => name.startsWith("lxc") || names.some((lab) => name === labCgroup(lab)));
    return found.map((name) => path.join(folder, name));
  });
  const mounts = fs.readFileSync("/proc/self/mountinfo", "utf8").split("\n");
  return {
    cgroups,
    mounts: mounts.filter((line) => line.includes("pk3s") || line.includes(labRoot())),
    states: names.map((name) => labPaths(name).state).filter((state) => fs.existsSync(state)),
    stacks: labs.map(({ stack }) => stackFile(stack)).filter((file) => fs.existsSync(file)),
    // The tests make the folders of events themselves, also the suite that runs at the same time.
    temporary: fs.readdirSync("/tmp").filter((name) => /^lab-(?!events-)/.test(name)),
  };
}

/** Processes in a network namespace. The inode identifies it only while it exists: a later namespace may reuse it. */
function processesIn(namespace: string): ProcessId[] {
  const pids = fs.readdirSync("/proc").filter((name) => /^\d+$/.test(name));
  const inside = pids.filter((pid) => {
    try {
      return fs.readlinkSync(`/proc/${pid}/ns/net`) === namespace;
    } catch {
      return false;
    }
  });
  return inside.flatMap((pid) => identify(Number(pid)) ?? []);
}

const init = (lab: Lab) => findLab(lab.name)!.init!;
const namespaceOf = (lab: Lab) => fs.readlinkSync(`/proc/${init(lab).pid}/ns/net`);
const linkOf = (lab: Lab) => `/sys/class/net/${labNetwork(findLab(lab.name)!.subnet).outerLink}`;
/** Whether the link belongs to the lab; a lab of another suite may have the same link name by now. */
const holds = (lab: Lab, link: string) =>
  fs.existsSync(link) && fs.readFileSync(`${link}/ifalias`, "utf8").trim() === lab.name;
const version = (lab: Lab) => new LabApi(lab).call("GET", "/version");

async function createGuest(lab: Lab, onboot: string): Promise<void> {
  const network = labNetwork(findLab(lab.name)!.subnet).prefix;
  await new LabApi(lab).task("POST", "/nodes/pve/lxc", {
    pool: lab.stack,
    ...{ vmid: "100", ostemplate: "local:vztmpl/ubuntu-22.04-standard_22.04-1_amd64.tar.zst", hostname: "guest" },
    ...{ ostype: "ubuntu", unprivileged: "0", rootfs: "local-lvm:4", start: "1", onboot },
    ...{ net0: `name=eth0,bridge=vmbr0,ip=${network}.20/24,gw=${network}.1` },
  });
}

let before: Record<string, string[]>;

/** Commands of other labs, in suites that run at the same time, make a folder for a moment: so wait. */
async function expectNoTraces(): Promise<void> {
  await eventually(30, async () => isDeepStrictEqual(traces(), before)).catch(() => {});
  expect(traces()).toEqual(before);
}

beforeAll(async () => {
  for (const lab of labs) await lab.down();
  before = traces();
  await first.up();
}, 40 * 60_000);
afterAll(async () => {
  for (const lab of labs) await lab.down();
}, 120_000);

it("is up at once if it is started again", async () => {
  const { pid } = init(first);
  await first.up();
  expect(init(first).pid).toBe(pid);
}, 60_000);

it("lets only root read its keys and its token, and hides them from its own Proxmox host", async () => {
  const { client, state, hostKey, apiToken } = labPaths(first.name);
  for (const file of [hostKey, apiToken]) expect(fs.statSync(file).mode & 0o777).toBe(0o600);
  for (const folder of [client, state]) expect(fs.statSync(folder).mode & 0o077).toBe(0);
  expect(await first.host(`ls -d ${client} 2>/dev/null || true`)).toBe("");
}, 30_000);

it("keeps files that are written on its Proxmox host to itself", async () => {
  const files = [
    "/etc/lab-trace",
    "/usr/lab-trace",
    "/root/lab-trace",
    "/var/lib/lab-trace",
    "/tmp/lab-trace",
    "/run/lab-trace",
  ];
  await first.host(`for file in ${files.join(" ")}; do echo x >$file; done`);
  expect(files.filter((file) => fs.existsSync(file))).toEqual([]);
  await expect(first.host("echo x >/opt/lab/lab-trace")).rejects.toThrow("Read-only file system");
}, 30_000);

describe("next to another lab", () => {
  beforeAll(() => second.up(), 120_000);

  it("has its own network, credentials and guests", async () => {
    expect(findLab(second.name)!.subnet).not.toBe(findLab(first.name)!.subnet);
    await Promise.all([createGuest(first, "1"), createGuest(second, "0")]);
    await Promise.all([version(first), version(second)]);
    const stolen = { ...second.environment, PROXMOX_VE_ENDPOINT: first.environment["PROXMOX_VE_ENDPOINT"] };
    const thief = Object.assign(Object.create(Lab.prototype) as Lab, { env: stolen });
    await expect(version(thief)).rejects.toThrow(/60|certificate/);
  }, 90_000);

  it("stays as it is when the other lab ends", async () => {
    const [processes, link] = [processesIn(namespaceOf(second)), linkOf(second)];
    expect(holds(second, link)).toBe(true);
    expect(processes.length).toBeGreaterThan(5);
    await second.down();
    expect(processes.filter(isAlive)).toEqual([]);
    expect(holds(second, link)).toBe(false);
    expect(await first.host("pct status 100")).toBe("status: running\n");
  }, 90_000);
});

it("continues after a stop with all its records, and starts the guests that start with the host", async () => {
  const { hostPublicKey, subnet } = findLab(first.name)!;
  const machineId = await first.host("pct exec 100 -- cat /etc/machine-id");
  await first.cli("stop");
  await expect(first.cli("status")).rejects.toThrow(`is not up: npm run lab -- up --name ${first.name}`);
  await first.cli("up");
  expect(findLab(first.name)).toMatchObject({ hostPublicKey, subnet });
  await version(first);
  expect(await eventually(20, () => first.host("pct exec 100 -- cat /etc/machine-id"))).toBe(machineId);
}, 120_000);

it("ends as a whole when a service of its host ends, and logs that", async () => {
  const running = init(first);
  await first.host("kill -9 $(pgrep -f apiMain)").catch(() => {});
  await eventually(20, async () => !fs.existsSync(`/proc/${running.pid}`));
  expect(fs.readFileSync(path.join(labPaths(first.name).logs, "host.log"), "utf8")).toContain("api ended with SIGKILL");
  await expect(first.cli("host", "--", "true")).rejects.toThrow("is not up");
}, 60_000);

it("leaves nothing behind, and can be ended twice", async () => {
  await first.up();
  const [processes, link] = [processesIn(namespaceOf(first)), linkOf(first)];
  await first.down();
  expect(processes.filter(isAlive)).toEqual([]);
  expect(holds(first, link)).toBe(false);
  await expectNoTraces();
  await first.down();
  await expectNoTraces();
}, 120_000);

it("refuses a name that could not be a folder, a stack or a cgroup", async () => {
  await expect(new Lab("../x").cli("status")).rejects.toThrow("../x' is no name for a lab");
}, 30_000);
