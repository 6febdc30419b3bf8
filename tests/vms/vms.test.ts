import * as fs from "node:fs";

import { findLab, identify, isAlive, labCgroup, labPaths, type ProcessId } from "../../lab/lab";
import { vmTemplateId } from "../../lab/vms/vmTemplate";
import { eventually, Lab } from "../support/lab";

/* Real virtual machines in the lab: what a Proxmox VE host does with them, and what a guest sees. */

const lab = new Lab("vms");
const paths = labPaths(lab.name);
let network: string;

beforeAll(async () => {
  await lab.down();
  await lab.up("--vms");
  network = findLab(lab.name)!.prefix;
}, 40 * 60_000);
afterAll(() => lab.down(), 120_000);

const qm = (words: string): Promise<string> => lab.host(`qm ${words}`);

/** A call of the API by root@pam. */
async function pvesh<T>(words: string): Promise<T | undefined> {
  const output = await lab.host(`pvesh ${words} --output-format json`);
  return output === "" ? undefined : (JSON.parse(output) as T);
}

/** Makes a call that starts a task, and waits for its end. */
async function task(words: string): Promise<void> {
  const upid = encodeURIComponent((await pvesh<string>(words))!);
  await eventually(60, async () => {
    const { status, exitstatus } = (await pvesh<Record<string, string>>(`get /nodes/pve/tasks/${upid}/status`))!;
    if (status === "stopped" && exitstatus !== "OK") throw new Error(exitstatus);
    return status === "stopped";
  });
}

/** Runs a shell script in a machine, by its guest agent. */
async function guest(vmid: number, script: string): Promise<string> {
  const output = await lab.hostWithInput(`qm guest exec ${vmid} --timeout 120 --pass-stdin 1 -- sh -e`, script);
  const result = JSON.parse(output) as { exitcode?: number; "out-data"?: string; "err-data"?: string };
  if (result.exitcode !== 0) throw new Error(`in ${vmid}: ${result.exitcode} ${result["err-data"]}`);
  return (result["out-data"] ?? "").trimEnd();
}

/** Waits on the host, because a call costs less there than by SSH: QEMU in software has no CPU time to spare. */
const agentAnswers = (vmid: number) =>
  lab.host(`timeout 400 sh -c 'until qm guest cmd ${vmid} ping 2>/dev/null; do sleep 1; done'`);
const status = (vmid: number) => qm(`status ${vmid}`);
const disk = (vmid: number, number = 0) => `/var/lib/vms/local-lvm/${vmid}/vm-${vmid}-disk-${number}`;

describe("disks", () => {
  it("a template of a cloud image exists from the beginning", async () => {
    const config = await qm(`config ${vmTemplateId}`);
    expect(config).toMatch(/^scsi0: local-lvm:base-9000-disk-0,discard=on,size=2200M$/m);
    expect(config).toMatch(/^template: 1$/m);
    await expect(qm(`start ${vmTemplateId}`)).rejects.toThrow("you can't start a vm if it's a template");
  }, 30_000);

  it("a linked clone has only its differences, a full one everything", async () => {
    await qm(`clone ${vmTemplateId} 121 --full 0 && qm clone ${vmTemplateId} 122 --full 1`);
    const sizes = await lab.host(`du -m ${disk(121)} ${disk(122)} | cut -f1`);
    const [linked = 0, full = 0] = sizes.trim().split("\n").map(Number);
    expect(linked).toBeLessThan(2);
    expect(full).toBeGreaterThan(300);
  }, 120_000);

  it("a snapshot restores the content of a disk", async () => {
    const write = (text: string) => `qemu-io -f qcow2 -c 'write -P ${text} 1M 4k' ${disk(121)} >/dev/null`;
    const holds = (text: string) => lab.host(`qemu-io -f qcow2 -c 'read -P ${text} 1M 4k' ${disk(121)} 2>&1`);
    await lab.host(write("0x11"));
    await task("create /nodes/pve/qemu/121/snapshot --snapname before");
    await lab.host(write("0x22"));
    await task("create /nodes/pve/qemu/121/snapshot/before/rollback");
    expect(await holds("0x11")).not.toContain("verification failed");
    await task("delete /nodes/pve/qemu/121/snapshot/before");
    expect(await lab.host(`qemu-img snapshot -l ${disk(121)}`)).toBe("");
  }, 60_000);

  it("a destroyed machine leaves no file", async () => {
    await qm("destroy 121 && qm destroy 122");
    expect(await lab.host("ls /var/lib/vms/local-lvm")).toBe(`${vmTemplateId}\n`);
  }, 30_000);
});

describe("a machine from the template", () => {
  beforeAll(async () => {
    const key = encodeURIComponent(fs.readFileSync(`${paths.nodeKey}.pub`, "utf8").trim());
    await qm(`clone ${vmTemplateId} 120 --name vm-120`);
    // On a thin pool a clone no longer needs its template.
    await qm(`destroy ${vmTemplateId}`);
    await pvesh(
      `set /nodes/pve/qemu/120/config --net0 virtio,bridge=vmbr0 --ipconfig0 ip=${network}.120/24,gw=${network}.1 ` +
        `--ciuser root --ciupgrade 0 --sshkeys '${key}' --scsi1 local-lvm:1,serial=data01`,
    );
    await qm("resize 120 scsi0 4G && qm start 120");
  }, 60_000);

  it("boots until its guest agent answers, with the address of its configuration", async () => {
    await agentAnswers(120);
    expect(await status(120)).toBe("status: running\n");
    const interfaces = await eventually(60, async () => {
      const text = await qm("guest cmd 120 network-get-interfaces");
      return text.includes(`${network}.120`) && text;
    });
    expect(interfaces).toMatch(/"hardware-address" : "bc:24:11:/);
  }, 420_000);

  it("cloud-init succeeds: name, key, a file system of the disk's size, and its own machine id", async () => {
    expect(await guest(120, "cloud-init status --wait")).toContain("status: done");
    expect(await guest(120, "hostname; grep -c . /etc/machine-id")).toBe("vm-120\n1");
    expect(Number(await guest(120, "df --output=size -BM / | tail -1 | tr -dc 0-9"))).toBeGreaterThan(3500);
  }, 180_000);

  it("answers SSH with the host key that its agent reports", async () => {
    const { stdout } = await lab.cli("ssh", "vm-120", "id -un; ls /dev/disk/by-id");
    expect(stdout).toMatch(/^root\n[^]*data01\n/);
  }, 60_000);

  it("is listed by the lab, with its load", async () => {
    const { guests } = JSON.parse((await lab.cli("status", "--json")).stdout) as { guests: { name: string }[] };
    expect(guests).toEqual([{ vmid: 120, name: "vm-120", status: "running", tags: [] }]);
    const { uptime, mem, pid } = (await pvesh<Record<string, number>>("get /nodes/pve/qemu/120/status/current"))!;
    expect(uptime).toBeGreaterThan(10);
    expect(mem).toBeGreaterThan(200 * 1024 ** 2);
    expect(await lab.host(`cat /proc/${pid}/comm`)).toBe("qemu-system-x86\n");
  }, 30_000);

  it("the agent writes and reads files", async () => {
    await pvesh("create /nodes/pve/qemu/120/agent/file-write --file /root/note --content 'by the agent'");
    expect(await guest(120, "cat /root/note")).toBe("by the agent");
    expect(await pvesh("get /nodes/pve/qemu/120/agent/file-read --file /root/note")).toEqual({
      ...{ content: "by the agent", "bytes-read": 12 },
    });
    await expect(pvesh("get /nodes/pve/qemu/120/agent/file-read --file /none")).rejects.toThrow("Agent error: ");
  }, 30_000);

  it("a disk grows while the machine runs, and the guest sees it", async () => {
    await qm("resize 120 scsi0 +1G");
    const root = "partition=$(findmnt -no SOURCE /); disk=${partition%1}";
    expect(await guest(120, `${root}; blockdev --getsize64 $disk`)).toBe(String(5 * 1024 ** 3));
    await guest(120, `${root}; growpart $disk 1; resize2fs $partition`);
    expect(Number(await guest(120, "df --output=size -BM / | tail -1 | tr -dc 0-9"))).toBeGreaterThan(4500);
  }, 60_000);

  it("a disk and a network are plugged and unplugged while it runs", async () => {
    await qm("set 120 --scsi2 local-lvm:1,serial=data02 --net1 virtio,bridge=vmbr0");
    const seen = "ls /dev/disk/by-id | grep -c data02 || :; ls /sys/class/net | grep -vc lo";
    await eventually(30, async () => (await guest(120, seen)) === "1\n2");
    expect(await lab.host("ls -d /sys/class/net/vmbr0/lower_tap120i*")).toMatch(/tap120i0\n.*tap120i1\n/);
    await qm("set 120 --delete scsi2,net1");
    await eventually(30, async () => (await guest(120, seen)) === "0\n1");
    await qm("set 120 --delete unused0");
    await expect(lab.host(`ls ${disk(120, 2)}`)).rejects.toThrow("No such file");
  }, 120_000);

  it("a reboot applies pending changes", async () => {
    const booted = await guest(120, "cat /proc/sys/kernel/random/boot_id");
    await qm("set 120 --memory 1536 && qm reboot 120 --timeout 90");
    await agentAnswers(120);
    expect(Number(await guest(120, "awk '/^MemTotal/ {print $2}' /proc/meminfo"))).toBeGreaterThan(1200 * 1024);
    expect(await guest(120, "cat /proc/sys/kernel/random/boot_id")).not.toBe(booted);
  }, 500_000);

  it("shuts down by its agent", async () => {
    await qm("shutdown 120 --timeout 90");
    expect(await status(120)).toBe("status: stopped\n");
    expect(await lab.host("ls /sys/class/net")).not.toContain("tap120");
  }, 120_000);
});

describe("a machine without a system", () => {
  it("is listed as stopped after its QEMU was killed, has no tap left, and starts again", async () => {
    await qm("create 123 --net0 virtio,bridge=vmbr0 --scsi0 local-lvm:1 --memory 128 --start 1");
    await eventually(20, async () => (await status(123)) === "status: running\n");
    expect(await lab.host("ls /sys/class/net")).toContain("tap123i0");
    await lab.host("kill -9 $(cat /run/qemu-server/123.pid)");
    await eventually(10, async () => (await status(123)) === "status: stopped\n");
    await eventually(10, async () => !(await lab.host("ls /sys/class/net")).includes("tap123i0"));
    await qm("start 123");
    expect(await status(123)).toBe("status: running\n");
  }, 60_000);

  it("pauses and resumes; the API says that its agent does not run", async () => {
    await qm("suspend 123");
    expect(await status(123)).toBe("status: paused\n");
    await qm("resume 123");
    expect(await status(123)).toBe("status: running\n");
    await qm("reset 123 && qm set 123 --agent 1 && qm stop 123 && qm start 123");
    await expect(qm("guest cmd 123 ping")).rejects.toThrow("QEMU guest agent is not running");
  }, 60_000);

  it("is refused if the lab cannot run such a machine", async () => {
    await expect(qm("create 124 --bios ovmf --scsi0 local-lvm:1")).rejects.toThrow("have no UEFI firmware (bios)");
    expect(await qm("list")).not.toContain("124");
    await expect(qm("stop 123 && qm set 123 --net0 virtio,bridge=vmbr7 && qm start 123")).rejects.toThrow(
      "bridge 'vmbr7' does not exist",
    );
    await qm("set 123 --net0 virtio,bridge=vmbr0 && qm start 123");
  }, 60_000);
});

it("is removed with the lab: no QEMU, no image, no cgroup is left", async () => {
  const init = findLab(lab.name)!.init!;
  const processes = qemus(init);
  expect(processes).toHaveLength(1);
  await lab.down();
  expect(processes.filter(isAlive)).toEqual([]);
  expect(fs.existsSync(paths.state)).toBe(false);
  const cgroups = fs.readdirSync("/sys/fs/cgroup").map((folder) => `/sys/fs/cgroup/${folder}/${labCgroup(lab.name)}`);
  expect(cgroups.filter((folder) => fs.existsSync(folder))).toEqual([]);
}, 60_000);

/** The QEMU processes in a lab's network namespace. */
function qemus(init: ProcessId): ProcessId[] {
  const namespace = (pid: string | number) => fs.readlinkSync(`/proc/${pid}/ns/net`);
  return fs
    .readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .flatMap((pid) => {
      try {
        const isOurs = fs.readFileSync(`/proc/${pid}/comm`, "utf8") === "qemu-system-x86\n";
        return isOurs && namespace(pid) === namespace(init.pid) ? (identify(Number(pid)) ?? []) : [];
      } catch {
        return [];
      }
    });
}
