import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

import { taskText } from "../../remote/script";

/*
 * Disks for Longhorn on a node. The disks are files; the real mkfs, wipefs and blkid write and read them. What needs a kernel is a
 * double: mount, findmnt, lsblk, blockdev, resize2fs.
 */

const scratch = fs.mkdtempSync(path.join(os.tmpdir(), "storage-"));
afterAll(() => fs.rmSync(scratch, { recursive: true }));
const CLUSTER_ID = "0123456789abcdef";
const GIB = 2 ** 30;

let root: string;
const file = (name: string): string => path.join(root, name);
const read = (name: string): string => (fs.existsSync(file(name)) ? fs.readFileSync(file(name), "utf8") : "");
const calls = (): string[] => read("calls").trim().split("\n").filter(Boolean);
const tool = (name: string, text: string): void =>
  fs.writeFileSync(file(`bin/${name}`), `#!/bin/sh\n${text}\n`, { mode: 0o755 });

beforeEach(() => {
  root = fs.mkdtempSync(path.join(scratch, "node-"));
  for (const dir of ["bin", "work", "by-id", "dev"]) fs.mkdirSync(file(dir));
  for (const name of ["mounts", "fstab"]) fs.writeFileSync(file(name), "");
  const noted = (name: string): string => `echo "${name} $*" >>"${root}/calls"`;
  tool("blockdev", 'exec stat -c %s "$2"');
  tool("lsblk", `for last; do :; done; echo disk; cat "$last.parts" 2>/dev/null`);
  tool("findmnt", `for last; do :; done; awk -v dev="$last" '$1 == dev { print $2 }' "${root}/mounts" | grep .`);
  tool(
    "mount",
    `${noted("mount")}
[ ! -e "${root}/broken" ] || { echo "mount: bad superblock" >&2; exit 32; }
uuid=$(awk -v at="$1" '$2 == at { sub("UUID=", "", $1); print $1 }' "${root}/fstab")
for dev in "${root}"/dev/*; do [ "$(blkid -p -s UUID -o value "$dev")" != "$uuid" ] || echo "$dev $1" >>"${root}/mounts"; done`,
  );
  for (const name of ["systemctl", "resize2fs", "chattr"]) tool(name, noted(name));
  // Waiting takes no time.
  fs.writeFileSync(file("uptime"), "1000.00 0.00\n");
  tool("sleep", `read -r up idle <"${root}/uptime"; echo "$((\${up%.*} + 30)).00 0.00" >"${root}/uptime"`);
  tool("mkfs.ext4", `${noted("mkfs")}\nexec ${mkfs} "$@"`);
});
const mkfs = execFileSync("sh", ["-c", "PATH=$PATH:/sbin:/usr/sbin; command -v mkfs.ext4"], {
  encoding: "utf8",
}).trim();

/** An empty disk of the machine. */
function disk(serial: string, gib = 20): string {
  const device = file(`dev/${serial}`);
  fs.writeFileSync(device, "");
  fs.truncateSync(device, gib * GIB);
  fs.symlinkSync(device, file(`by-id/${serial}`));
  return device;
}

function run(disks = "longhorn 20", env: Readonly<Record<string, string>> = {}) {
  const text = taskText("storage")
    .replaceAll("/dev/disk/by-id/scsi-0QEMU_QEMU_HARDDISK_", file("by-id/"))
    .replaceAll("MOUNTS=/mnt/longhorn", `MOUNTS=${file("mnt")}`)
    .replaceAll("FSTAB=/etc/fstab", `FSTAB=${file("fstab")}`)
    .replaceAll("/proc/uptime", file("uptime"));
  const { status, stdout, stderr } = spawnSync("sh", ["-c", text], {
    encoding: "utf8",
    env: {
      ...{ PATH: `${file("bin")}:${process.env["PATH"]}:/usr/sbin:/sbin`, WORK: file("work"), LC_ALL: "C" },
      ...{
        RUNNER: String(process.pid),
        STEP: "node-1-storage",
        NAME: "node-1",
        CLUSTER_ID,
        LONGHORN_DISKS: disks,
        ...env,
      },
    },
  });
  return { status, output: stdout + stderr, outcome: read("work/outcome").trim() };
}
const uuidOf = (device: string): string =>
  execFileSync("blkid", ["-p", "-s", "UUID", "-o", "value", device], { encoding: "utf8" }).trim();
const mounted = (): string[] => read("mounts").trim().split("\n").filter(Boolean);

it("an empty disk gets a file system and a line in fstab with its UUID, and is mounted", () => {
  const device = disk("longhorn");
  fs.writeFileSync(file("fstab"), "# mine\nUUID=1 / ext4 defaults 0 1\n");
  expect(run()).toMatchObject({ status: 0, outcome: "disks for Longhorn on node-1: longhorn" });
  expect(mounted()).toEqual([`${device} ${file("mnt/longhorn")}`]);
  expect(uuidOf(device)).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-8[0-9a-f]{3}-[0-9a-f]{12}$/);
  expect(read("fstab")).toBe(
    `# mine\nUUID=1 / ext4 defaults 0 1\nUUID=${uuidOf(device)} ${file("mnt/longhorn")} ext4 ` +
      "noatime,nofail,x-systemd.before=k3s.service,x-systemd.before=k3s-agent.service 0 2\n",
  );
  // Nothing can be written to the mount point while the disk is not mounted.
  expect(calls()).toContain(`chattr +i ${file("mnt/longhorn")}`);
});

it("a second run changes nothing, and a larger disk's file system grows", () => {
  disk("longhorn");
  run();
  const before = [read("fstab"), mounted()];
  fs.rmSync(file("calls"));
  expect(run("longhorn 30").status).toBe(0);
  expect([read("fstab"), mounted()]).toEqual(before);
  expect(calls().map((call) => call.split(" ")[0])).toEqual(["resize2fs"]);
});

it("recognizes its own file system on a machine that was rebuilt, and formats nothing", () => {
  const device = disk("longhorn");
  run();
  const uuid = uuidOf(device);
  for (const name of ["mounts", "fstab"]) fs.writeFileSync(file(name), "");
  fs.rmSync(file("calls"));
  expect(run().status).toBe(0);
  expect([uuidOf(device), mounted().length]).toEqual([uuid, 1]);
  expect(calls().filter((call) => call.startsWith("mkfs"))).toEqual([]);
});

it.each([
  ["another node", { NAME: "node-2" }],
  ["another cluster", { CLUSTER_ID: "fedcba9876543210" }],
])("the file system of %s is not its own", (_, env) => {
  disk("longhorn");
  run("longhorn 20", env);
  fs.writeFileSync(file("mounts"), "");
  const { status, output } = run();
  expect([status, output]).toEqual([
    1,
    expect.stringContaining("has something on it that this program did not make: ext4 "),
  ]);
});

describe("never touches what it did not create", () => {
  /** The data at the start of the disk, and how much of the disk was ever written. */
  const content = (device: string): [string, number] => {
    const begin = Buffer.alloc(4 << 20);
    const handle = fs.openSync(device, "r");
    fs.readSync(handle, begin, 0, begin.length, 0);
    fs.closeSync(handle);
    return [createHash("sha256").update(begin).digest("hex"), fs.statSync(device).blocks];
  };
  it.each<[string, (device: string) => void, string]>([
    ["a file system", (device) => execFileSync(mkfs, ["-q", device]), "ext4 "],
    ["swap", (device) => execFileSync("/sbin/mkswap", [device], { stdio: "pipe" }), "swap "],
    ["a partition table", (device) => execFileSync("/sbin/sfdisk", ["-q", device], { input: ",,\n" }), "dos"],
    [
      "a part that a kernel uses",
      (device) => fs.writeFileSync(`${device}.parts`, "sdb1\nvg-data\n"),
      "partitions or volumes (sdb1 vg-data)",
    ],
  ])("%s", (_, make, words) => {
    const device = disk("longhorn");
    make(device);
    const before = content(device);
    const { status, output } = run();
    expect([status, output]).toEqual([
      1,
      expect.stringContaining(
        `error: node-1-storage: the disk longhorn of node-1 has something on it that this program did not make: ${words}`,
      ),
    ]);
    expect(output).toContain(
      `next:  if nothing on it is needed: wipefs -a ${file("by-id/longhorn")} on the node, then pulumi up`,
    );
    expect([content(device), calls(), read("fstab"), mounted()]).toEqual([before, [], "", []]);
  });

  it("nor any other disk of the same node: all are checked first", () => {
    const good = disk("longhorn");
    execFileSync(mkfs, ["-q", disk("second")]);
    expect(run("longhorn 20\nsecond 20").status).toBe(1);
    expect(() => uuidOf(good)).toThrow();
    expect(calls()).toEqual([]);
  });
});

it.each<[string, () => void, string, string]>([
  ["is missing", () => {}, "node-1 has no disk with the serial longhorn", "ls /dev/disk/by-id|reboot the machine"],
  ["is too small", () => void disk("longhorn", 10), "is not larger than 10GB", "set a larger size in the config"],
  [
    "is mounted elsewhere",
    () => {
      run("", { LONGHORN_DISKS: "" });
      const device = disk("longhorn");
      run();
      fs.writeFileSync(file("mounts"), `${device} /data\n`);
      fs.rmSync(file("calls"));
    },
    "is mounted at /data, not at",
    "unmount it",
  ],
  [
    "would hide files of the root disk",
    () => {
      disk("longhorn");
      fs.mkdirSync(file("mnt/longhorn"), { recursive: true });
      fs.writeFileSync(file("mnt/longhorn/longhorn-disk.cfg"), "{}");
    },
    "has files on the root disk, which a mount would hide",
    "move them away",
  ],
])("a disk that %s is refused, with the next step", (_, prepare, words, next) => {
  prepare();
  const { status, output } = run();
  expect([status, output]).toEqual([1, expect.stringContaining(words)]);
  expect(output).toMatch(new RegExp(`^next:  .*(${next})`, "m"));
  expect(calls()).toEqual([]);
});

it("a failed mount changes no data, and the next run continues", () => {
  const device = disk("longhorn");
  fs.writeFileSync(file("broken"), "");
  const { status, output } = run();
  expect([status, output]).toEqual([1, expect.stringContaining("could not be mounted at")]);
  const uuid = uuidOf(device);
  fs.rmSync(file("broken"));
  expect(run().status).toBe(0);
  expect([uuidOf(device), mounted().length, read("fstab").match(/UUID/g)!.length]).toEqual([uuid, 1, 1]);
});

describe("a disk that Longhorn no longer has", () => {
  const unmount = () => {
    const text = fs
      .readFileSync("scripts/host/files/guest-unmount.sh", "utf8")
      .replaceAll("/mnt/longhorn", file("mnt"))
      .replaceAll("/etc/fstab", file("fstab"));
    return spawnSync("sh", ["-s", "--", "longhorn"], {
      ...{ input: text, encoding: "utf8" },
      env: { PATH: `${file("bin")}:${process.env["PATH"]}` },
    });
  };
  beforeEach(() => {
    disk("longhorn");
    disk("second");
    run("longhorn 20\nsecond 20");
    tool("findmnt", `for last; do :; done; grep -q " $last$" "${root}/mounts"`);
    tool("umount", `sed -i "\\\\| $1$|d" "${root}/mounts"`);
  });

  it("is unmounted for good, and the others stay", () => {
    expect(unmount().status).toBe(0);
    expect(mounted()).toEqual([`${file("dev/second")} ${file("mnt/second")}`]);
    expect(read("fstab").match(/mnt\/\w+/g)).toEqual(["mnt/second"]);
    expect(fs.existsSync(file("mnt/longhorn"))).toBe(false);
    expect(unmount().status).toBe(0);
  });

  it("that is in use is waited for, up to a time limit", () => {
    tool("umount", `echo busy >>"${root}/busy"; exit 32`);
    expect(unmount().status).toBe(1);
    expect(read("busy").split("\n")).toHaveLength(21);
  });
});
