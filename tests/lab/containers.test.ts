import * as fs from "node:fs";

import { LXC_RAW_LINES } from "../../plan/lxcProfile";
import { labCgroup, labPaths } from "../../lab/lab";
import { eventually, finish, Lab } from "../support/lab";
import { LabApi } from "../support/labApi";

/* Containers of the lab, made through its API and seen from the inside: they must be like those of a Proxmox VE host. */

const lab = new Lab("containers");
const api = new LabApi(lab);
const paths = labPaths(lab.name);
let network: string;

beforeAll(async () => {
  await lab.down();
  await lab.up();
  network = /198\.18\.\d+/.exec(lab.environment["PROXMOX_VE_ENDPOINT"]!)![0];
}, 40 * 60_000);
afterAll(() => lab.down(), 120_000);

const template = "local:vztmpl/ubuntu-22.04-standard_22.04-1_amd64.tar.zst";

async function create(vmid: number, more: Readonly<Record<string, string>> = {}): Promise<void> {
  const nodeKey = fs.readFileSync(`${paths.nodeKey}.pub`, "utf8");
  await api.task("POST", "/nodes/pve/lxc", {
    pool: lab.stack,
    ...{ vmid: String(vmid), ostemplate: template, hostname: `guest-${vmid}`, ostype: "ubuntu", unprivileged: "0" },
    ...{ memory: "512", swap: "0", rootfs: "local-lvm:4", start: "1", "ssh-public-keys": nodeKey },
    ...{ net0: `name=eth0,bridge=vmbr0,ip=${network}.${vmid}/24,gw=${network}.1`, nameserver: `${network}.1` },
    ...more,
  });
}

/** Runs a shell command in a guest. @returns its output without the last newline */
async function guest(vmid: number, command: string): Promise<string> {
  return (await lab.host(`pct exec ${vmid} -- sh -c '${command}'`)).trimEnd();
}

async function booted(vmid: number): Promise<number> {
  const started = Date.now();
  // It exits with 1 for every other state, `starting` included.
  await eventually(30, () => guest(vmid, "systemctl is-system-running"));
  return (Date.now() - started) / 1000;
}

async function capabilities(vmid: number): Promise<bigint> {
  return BigInt(`0x${await guest(vmid, "sed -n s/^CapBnd:.//p /proc/1/status")}`);
}
const CAP_SYS_MODULE = 1n << 16n;
const CAP_SYS_RAWIO = 1n << 17n;

describe("a container with Proxmox VE's defaults", () => {
  beforeAll(() => create(110), 90_000);

  it("boots to running within seconds, with nothing failed", async () => {
    expect(await booted(110)).toBeLessThan(30);
    expect(await guest(110, "systemctl --failed --no-legend")).toBe("");
  }, 60_000);

  it("has the hostname, addresses and keys of its configuration", async () => {
    expect(await guest(110, "hostname; cat /etc/hostname; grep guest-110 /etc/hosts")).toMatch(
      new RegExp(`^guest-110\nguest-110\n${network}\\.110 guest-110$`),
    );
    expect(await guest(110, "cat /etc/resolv.conf")).toContain(`nameserver ${network}.1`);
    expect(await guest(110, "ip -4 -brief address show eth0; ip route")).toMatch(
      new RegExp(`${network}\\.110/24[^]*default via ${network}\\.1 dev eth0`),
    );
  }, 30_000);

  it("answers SSH with its own host key, and admits only the nodes' key", async () => {
    const scanned = await finish("ssh-keyscan", ["-t", "ed25519", `${network}.110`], process.env);
    const [, type, key] = scanned.stdout.trim().split(" ");
    expect(await guest(110, 'cut -d" " -f1,2 /etc/ssh/ssh_host_ed25519_key.pub')).toBe(`${type} ${key}`);
    expect((await lab.cli("ssh", "guest-110", "id", "-un")).stdout).toBe("root\n");
    const options = ["-F", "none", "-o", "IdentitiesOnly=yes", "-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no"];
    const files = ["-o", "UserKnownHostsFile=/dev/null", "-i", paths.hostKey];
    const refused = await finish("ssh", [...options, ...files, `root@${network}.110`, "true"], process.env);
    expect(refused.code).toBe(255);
    expect(refused.stderr).toContain("Permission denied");
  }, 30_000);

  it("is confined: no /dev/kmsg, kernel settings read-only, no module or raw I/O capability", async () => {
    await expect(guest(110, "ls /dev/kmsg")).rejects.toThrow("No such file");
    await expect(guest(110, "mknod /tmp/kmsg c 1 11 && dd if=/tmp/kmsg of=/dev/null count=1")).rejects.toThrow(
      "Operation not permitted",
    );
    await expect(guest(110, "echo 0 >/proc/sys/kernel/panic")).rejects.toThrow("Read-only file system");
    expect((await capabilities(110)) & (CAP_SYS_MODULE | CAP_SYS_RAWIO)).toBe(0n);
  }, 30_000);

  it("has a memory limit, which can change while it runs", async () => {
    // The guest cannot see this limit: it is in the cgroup above the guest's own.
    const files = `/sys/fs/cgroup/memory/pk3s-${lab.name}/110/memory.limit_in_bytes /sys/fs/cgroup/pk3s-${lab.name}/110/memory.max`;
    const limit = async () => Number(await lab.host(`cat ${files} 2>/dev/null || true`)) / 1024 ** 2;
    expect(await limit()).toBe(512);
    await api.call("PUT", "/nodes/pve/lxc/110/config", { memory: "768" });
    expect(await limit()).toBe(768);
    const status = (await api.call("GET", "/nodes/pve/lxc/110/status/current")) as Record<string, number>;
    expect(status["maxmem"]).toBe(768 * 1024 ** 2);
    expect(status["mem"]).toBeGreaterThan(1024 ** 2);
    expect(status["mem"]).toBeLessThan(768 * 1024 ** 2);
  }, 30_000);

  it("is shown by the API as running, with its uptime and its address", async () => {
    const status = (await api.call("GET", "/nodes/pve/lxc/110/status/current")) as Record<string, number | string>;
    expect(status).toMatchObject({ status: "running", name: "guest-110" });
    expect(status["uptime"]).toBeGreaterThan(0);
    const interfaces = (await api.call("GET", "/nodes/pve/lxc/110/interfaces")) as { name: string; inet?: string }[];
    expect(interfaces.find(({ name }) => name === "eth0")?.inet).toBe(`${network}.110/24`);
  }, 30_000);

  it("reaches the lab's network and nothing else", async () => {
    expect(await guest(110, `curl -s -o /dev/null -w %{http_code} http://${network}.1:8080/k3s/none`)).toBe("404");
    const own = await finish("hostname", ["-I"], process.env);
    const outside = own.stdout.split(" ").find((address) => /^\d/.test(address) && !address.startsWith("198.18."));
    expect(outside).toBeDefined();
    await expect(guest(110, `ping -c 1 -W 2 ${outside}`)).rejects.toThrow("100% packet loss");
  }, 30_000);
});

describe("raw lines", () => {
  const conf = "/etc/pve/lxc/110.conf";
  const restart = async () => {
    await lab.host("pct reboot 110");
    await booted(110);
  };

  it("take effect at the next start, and each by itself", async () => {
    const [kmsg, ...others] = LXC_RAW_LINES;
    await lab.hostWithInput(`cat >>${conf}`, `${kmsg}\n`);
    await expect(guest(110, "ls /dev/kmsg")).rejects.toThrow("No such file");
    await restart();
    // It exists, but the device cgroup still refuses it.
    await expect(guest(110, ": </dev/kmsg")).rejects.toThrow("Operation not permitted");
    await lab.hostWithInput(`cat >>${conf}`, `${others.join("\n")}\n`);
    await restart();
    await guest(110, ": </dev/kmsg");
    await guest(110, "cat /proc/sys/kernel/panic >/proc/sys/kernel/panic");
    expect((await capabilities(110)) & (CAP_SYS_MODULE | CAP_SYS_RAWIO)).toBe(CAP_SYS_MODULE | CAP_SYS_RAWIO);
  }, 90_000);

  it("stay in the file, in their order, when the API writes it", async () => {
    await api.call("PUT", "/nodes/pve/lxc/110/config", { description: "changed" });
    const lines = (await lab.host(`grep ^lxc ${conf}`)).trimEnd().split("\n");
    expect(lines.map((line) => line.trimEnd())).toEqual(LXC_RAW_LINES);
  }, 30_000);
});

describe("pct", () => {
  it("passes arguments, standard input and the exit code", async () => {
    expect(await lab.hostWithInput(`pct exec 110 -- sh -c 'cat; echo "$1"' sh "a  b"`, "in\n")).toBe("in\na  b\n");
    await expect(lab.host("pct exec 110 -- sh -c 'exit 7'")).rejects.toThrow("ended with 7");
  }, 30_000);

  it("pushes and pulls files with the given mode, and does not change the source", async () => {
    await lab.hostWithInput("umask 022; cat >/tmp/source", "text\n");
    await lab.host(
      "pct push 110 /tmp/source /root/pushed --perms 0600; pct pull 110 /root/pushed /tmp/pulled --perms 640",
    );
    expect(await guest(110, "stat -c %a /root/pushed; cat /root/pushed")).toBe("600\ntext");
    expect(await lab.host("stat -c %a /tmp/source /tmp/pulled; cat /tmp/pulled")).toBe("644\n640\ntext\n");
    await expect(lab.host("pct push 110 /tmp/none /root/none")).rejects.toThrow("failed to open /tmp/none for reading");
  }, 30_000);

  it("reports states, lists and configurations", async () => {
    expect(await lab.host("pct status 110")).toBe("status: running\n");
    expect(await lab.host("pct list")).toBe(
      "VMID       Status     Lock         Name                \n110        running                 guest-110           \n",
    );
    const config = await lab.host("pct config 110");
    expect(config).toMatch(/^arch: amd64\n[^]*^hostname: guest-110\n[^]*^lxc\.mount\.auto: proc:rw sys:rw\n$/m);
    await expect(lab.host("pct status 999")).rejects.toThrow(
      "ended with 255:\nConfiguration file 'nodes/pve/lxc/999.conf' does not exist",
    );
    await expect(lab.host("pct start 110")).rejects.toThrow("CT 110 already running");
  }, 30_000);

  it("is fast enough for polling", async () => {
    const seconds = Number(
      await lab.host(
        "start=$(date +%s%N); for i in 1 2 3 4 5; do pct exec 110 -- true; done; echo $((($(date +%s%N) - start) / 1000000))",
      ),
    );
    expect(seconds / 5).toBeLessThan(500);
  }, 30_000);

  it("shuts down, and refuses a locked guest until it is unlocked", async () => {
    await lab.host("sed -i '1i lock: backup' /etc/pve/lxc/110.conf");
    await expect(lab.host("pct shutdown 110")).rejects.toThrow("CT is locked (backup)");
    await lab.host("pct unlock 110; pct shutdown 110 --forceStop 1 --timeout 30");
    expect(await lab.host("pct status 110")).toBe("status: stopped\n");
    await expect(lab.host("pct exec 110 -- true")).rejects.toThrow("container '110' not running!");
  }, 60_000);

  it("clones a stopped guest: its files and raw lines, with its own name and machine ID", async () => {
    const file = (vmid: number, name: string) => lab.host(`cat /var/lib/lxc/${vmid}/rootfs/${name}`);
    const machineId = await file(110, "etc/machine-id");
    expect(machineId).toMatch(/^[0-9a-f]{32}\n$/);
    await lab.host("pct clone 110 113 --hostname copy; pct start 113");
    await booted(113);
    expect(await guest(113, "hostname; cat /root/pushed; cat /proc/sys/kernel/panic >/proc/sys/kernel/panic")).toBe(
      "copy\ntext",
    );
    expect(await file(113, "etc/machine-id")).toMatch(/^[0-9a-f]{32}\n$/);
    expect(await file(113, "etc/machine-id")).not.toBe(machineId);
    // As on a Proxmox host: the SSH host keys are copied, too.
    expect(await file(113, "etc/ssh/ssh_host_ed25519_key.pub")).toBe(
      await file(110, "etc/ssh/ssh_host_ed25519_key.pub"),
    );
  }, 60_000);

  it("destroys without a trace", async () => {
    await lab.host("pct destroy 113 --force; pct destroy 110");
    const cgroups = `/sys/fs/cgroup/*/${labCgroup(lab.name)}/11?`;
    expect(await lab.host(`pct list; ls /var/lib/lxc; ls -d ${cgroups} 2>/dev/null || true`)).toBe("");
  }, 60_000);
});

describe("an unmanaged container", () => {
  it("gets no hostname, no network, no keys", async () => {
    await create(111, { ostype: "unmanaged" });
    // Wait for systemd only, not for `running`: without host keys sshd fails.
    await eventually(30, () => guest(111, "test -S /run/systemd/private"));
    const rootfs = "/var/lib/lxc/111/rootfs";
    expect(
      await lab.host(
        `ls ${rootfs}/etc/hostname ${rootfs}/root/.ssh/authorized_keys ${rootfs}/etc/ssh/ssh_host_* 2>/dev/null || true`,
      ),
    ).toBe("");
    expect(await guest(111, "ip -4 -brief address show eth0")).not.toContain("198.18");
  }, 90_000);
});

describe("what the lab's containers do not support", () => {
  it("is refused with the reason, and nothing is left behind", async () => {
    await expect(create(112, { unprivileged: "1" })).rejects.toThrow("no user namespace");
    expect(await lab.host("ls /var/lib/lxc /etc/pve/lxc")).not.toContain("112");
    await create(112, { net0: "name=eth0,bridge=vmbr7", start: "0" });
    await expect(api.task("POST", "/nodes/pve/lxc/112/status/start")).rejects.toThrow("bridge 'vmbr7' does not exist");
  }, 90_000);
});
