import * as fs from "node:fs";
import * as path from "node:path";

import { clearFaults, setFault } from "../../lab/commands/fault";
import { enterHost } from "../../lab/commands/guests";
import { labFaults } from "../../lab/host/faults";
import { labPaths, runningLab } from "../../lab/lab";
import type { FaultSpec } from "../../lab/pve/faults/fault";
import { eventually, finish, Lab } from "../support/lab";
import { LabApi } from "../support/labApi";

/* `lab fault`: what a machine really does under each fault that affects more than the API. One lab, one container. */

const lab = new Lab("faults");
const api = new LabApi(lab);
const paths = labPaths(lab.name);
const GUEST = "/nodes/pve/lxc/110";
let network: string;

beforeAll(async () => {
  await lab.down();
  await lab.up();
  network = /198\.18\.\d+/.exec(lab.environment["PROXMOX_VE_ENDPOINT"]!)![0];
  await create(110);
}, 20 * 60_000);
afterAll(() => lab.down(), 120_000);
afterEach(() => clear(), 30_000);

/** The functions behind `lab fault set` and `lab fault clear`. */
const fault = (spec: FaultSpec) => setFault(runningLab(lab.name), spec);
const clear = () => clearFaults(runningLab(lab.name));
const faults = () => labFaults(runningLab(lab.name)).list();

/** Runs `lab fault …`. @returns its output */
async function command(...args: string[]): Promise<string> {
  return (await lab.cli("fault", ...args)).stdout;
}

async function create(vmid: number): Promise<void> {
  const key = fs.readFileSync(`${paths.nodeKey}.pub`, "utf8");
  await api.task("POST", "/nodes/pve/lxc", {
    pool: lab.stack,
    ...{ vmid: String(vmid), ostemplate: "local:vztmpl/ubuntu-22.04-standard_22.04-1_amd64.tar.zst" },
    ...{ hostname: `guest-${vmid}`, ostype: "ubuntu", unprivileged: "0", memory: "512", swap: "0" },
    ...{ rootfs: "local-lvm:4", "ssh-public-keys": key, nameserver: `${network}.1` },
    net0: `name=eth0,bridge=vmbr0,ip=${network}.${vmid}/24,gw=${network}.1`,
  });
}

const start = () => api.task("POST", `${GUEST}/status/start`);
const state = async () => (await api.call("GET", `${GUEST}/status/current`)) as { status: string; uptime: number };

/** Runs a command on the host without SSH; `guest` runs one in the guest. */
function inside(command: string) {
  const [program, ...args] = [...enterHost(runningLab(lab.name).init), "sh", "-c", command];
  return finish(program, args, process.env);
}
const guest = (command: string) => inside(`pct exec 110 -- sh -c '${command}'`);

const log = (name: string) => fs.readFileSync(path.join(paths.logs, `${name}.log`), "utf8");

test("a fault of the API is set, shown in the status, logged with its number when it occurs, and cleared", async () => {
  const said = await command("set", "error", "--path", "/version$", "--status", "503", "--text", "too many");
  const [{ id } = { id: 0 }] = JSON.parse(await command("list", "--json")) as { id: number }[];
  expect(said).toContain(`${id}  error /version$ status=503 text=too many, not struck yet`);
  await expect(api.call("GET", "/version")).rejects.toThrow("503");
  expect(log("api")).toContain(`fault ${id} (error) struck: GET /version`);
  expect((await lab.cli("status")).stdout).toMatch(new RegExp(`^fault +${id}: error .*, struck once$`, "m"));
  expect(Object.keys(JSON.parse((await lab.cli("status", "--json")).stdout) as object)).toEqual([
    "guests",
    "nodes",
    "k3s",
  ]);
  await command("clear", String(id));
  await api.call("GET", "/version");
  await expect(command("set", "error", "--status", "20", "--seconds", "x")).rejects.toThrow(
    /a fault of the kind error takes [^]*status: Too small[^]*seconds/,
  );
}, 60_000);

test("no-address: the guest runs, its link is up, and it cannot be reached; the next start is normal", async () => {
  await fault({ kind: "no-address", guest: 110, count: 1 });
  await start();
  expect((await state()).status).toBe("running");
  expect((await guest("ip -brief link show eth0")).stdout).toMatch(/^eth0\S* +UP /);
  expect((await guest("ip -4 -brief address show eth0")).stdout).not.toContain(network);
  expect((await inside(`ping -c 1 -W 1 ${network}.110`)).stdout).toContain("0 received");
  await api.task("POST", `${GUEST}/status/reboot`);
  expect((await guest("ip -4 -brief address show eth0")).stdout).toContain(`${network}.110/24`);
}, 90_000);

test("no-dns: a lookup ends neither fast nor never; a cleared fault is gone at once", async () => {
  const look = "curl -sS -o /dev/null -w %{http_code} --connect-timeout 3 http://artifacts.lab:8080/k3s/none";
  expect((await guest(look)).stdout).toBe("404");
  await fault({ kind: "no-dns" });
  const { code, stderr } = await guest(look);
  expect([code, stderr]).toEqual([28, expect.stringContaining("Resolving timed out")]);
  expect((await guest(look.replace("artifacts.lab", `${network}.1`))).stdout).toBe("404");
  await clear();
  expect((await guest(look)).stdout).toBe("404");
}, 60_000);

test("guest-dies: the machine stops without a message, and stays stopped until it is started", async () => {
  await api.task("POST", `${GUEST}/status/stop`);
  await fault({ kind: "guest-dies", guest: 110, seconds: 1, count: 1 });
  await start();
  await eventually(15, async () => (await state()).status === "stopped");
  expect((await inside("lxc-info -n 110 -s")).stdout).toContain("STOPPED");
  await start();
  expect((await state()).status).toBe("running");
  expect(log("api")).toMatch(/fault \d+ \(guest-dies\) struck: guest 110 starts/);
}, 60_000);

test("ssh-refused: new connections to the host are refused, existing ones continue", async () => {
  const session = lab.host("touch /run/here; until [ -e /run/go ]; do sleep 0.1; done; echo went on");
  await eventually(15, async () => (await inside("test -e /run/here")).code === 0);
  await fault({ kind: "ssh-refused" });
  await expect(lab.host("true")).rejects.toThrow(/port 22: Connection refused/);
  await inside("touch /run/go");
  expect(await session).toBe("went on\n");
  await clear();
  expect(await lab.host("echo back")).toBe("back\n");
}, 60_000);

test("clock: the host's date is wrong and its curl rejects certificates; the guest keeps the right time", async () => {
  const ca = "curl -sS --cacert /etc/pve/pve-root-ca.pem https://$(hostname -I | cut -d' ' -f1):8006/";
  const behind = async (command: Promise<{ stdout: string }>) => Date.now() / 1000 - Number((await command).stdout);
  expect((await inside(ca)).code).toBe(0);
  await fault({ kind: "clock", seconds: -864_000 });
  expect(Math.abs((await behind(inside("date +%s"))) - 864_000)).toBeLessThan(30);
  expect((await inside(ca)).stderr).toContain("certificate is not yet valid");
  expect(Math.abs(await behind(guest("date +%s")))).toBeLessThan(30);
  await clear();
  expect(Math.abs(await behind(inside("date +%s")))).toBeLessThan(30);
}, 60_000);

test("lock: pct refuses until the guest is unlocked", async () => {
  await fault({ kind: "lock", guest: 110 });
  const refused = await inside("pct stop 110");
  expect([refused.code, refused.stderr]).toEqual([255, "CT is locked (backup)\n"]);
  expect((await inside("pct unlock 110 && pct status 110")).stdout).toBe("status: running\n");
  expect((await inside("pct config 110")).stdout).not.toContain("lock:");
}, 60_000);

test("task-lost: pct unlock and pct destroy remove what a killed create has left", async () => {
  await fault({ kind: "task-lost", task: "vzcreate", count: 1 });
  await expect(create(111)).rejects.toThrow("unexpected status");
  expect((await inside("pct config 111")).stdout).toContain("lock: create");
  expect(fs.existsSync(path.join(paths.lxc, "111/rootfs/etc"))).toBe(true);
  expect((await inside("pct unlock 111 && pct destroy 111")).code).toBe(0);
  expect(fs.existsSync(path.join(paths.lxc, "111"))).toBe(false);
}, 60_000);

test("storage-full: a new guest fails and leaves nothing behind, and existing ones run on", async () => {
  await fault({ kind: "storage-full", storage: "local-lvm" });
  await expect(create(111)).rejects.toThrow("free space in thin pool pve/data reached threshold");
  expect((await inside("pct list")).stdout).not.toContain("111");
  expect(fs.existsSync(path.join(paths.lxc, "111"))).toBe(false);
  expect((await state()).status).toBe("running");
}, 60_000);

test("faults survive a power cut of the lab, including those of its network", async () => {
  await fault({ kind: "ssh-refused" });
  await fault({ kind: "error", path: "/version$" });
  const before = faults();
  await lab.cli("stop");
  await lab.up();
  expect(faults()).toEqual(before);
  await expect(lab.host("true")).rejects.toThrow(/Connection refused/);
  await expect(api.call("GET", "/version")).rejects.toThrow("500");
}, 120_000);
