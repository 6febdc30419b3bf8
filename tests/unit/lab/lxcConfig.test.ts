import { limitLines, v1Twin } from "../../../lab/containers/cgroups";
import { CpuAssignment } from "../../../lab/containers/cpuAssignment";
import { lxcConfig, overriddenFeatures } from "../../../lab/containers/lxcConfig";
import { guestNetworks } from "../../../lab/containers/network";
import { guestConfig, type RawLine } from "../../../lab/pve/guestConfig";
import { LXC_RAW_LINES } from "../../../plan/lxcProfile";

const proxmoxLike = { cgroupV1: false, canProtectFromOom: true, appArmor: true };
const place = { lxcPath: "/var/lib/lxc", cgroup: "pk3s-test", traits: proxmoxLike };
const options: [string, string][] = [
  ["arch", "amd64"],
  ["hostname", "node"],
  ["memory", "4096"],
  ["ostype", "ubuntu"],
  ["net0", "name=eth0,bridge=vmbr0,gw=198.18.1.1,hwaddr=BC:24:11:00:00:01,ip=198.18.1.20/24,type=veth"],
];
const recipe = LXC_RAW_LINES.map((line) => line.split(/:\s*(.*)/s).slice(0, 2) as unknown as RawLine);
const lines = (text: string): string[] => text.trimEnd().split("\n");

describe("the LXC configuration of a guest", () => {
  it("has the raw lines last and in their order, so that they win over PVE's defaults", () => {
    const text = lines(lxcConfig(100, guestConfig(options, recipe), place));
    expect(text.slice(-5)).toEqual(recipe.map(([key, value]) => `${key} = ${value}`));
    expect(text.indexOf("lxc.include = /usr/share/lxc/config/common.conf")).toBeGreaterThan(0);
  });

  it("keeps AppArmor's generated profile unless a raw line names another, and warns of what that overrides", () => {
    const features: [string, string] = ["features", "fuse=1,nesting=1"];
    const confined = lxcConfig(100, guestConfig([...options, features]), place);
    expect(confined).toContain("lxc.apparmor.profile = generated\nlxc.apparmor.allow_nesting = 1\n");
    const free = guestConfig([...options, features], recipe);
    expect(lxcConfig(100, free, place)).not.toContain("generated");
    expect(overriddenFeatures(free)).toBe(
      "explicitly configured lxc.apparmor.profile overrides the following settings: features:fuse, features:nesting",
    );
    expect(overriddenFeatures(guestConfig([...options, features]))).toBeUndefined();
  });

  it("has a cgroup version 1 line next to each version 2 line only if the machine has version 1", () => {
    const onV1 = lxcConfig(100, guestConfig(options, recipe), { ...place, traits: { ...proxmoxLike, cgroupV1: true } });
    expect(onV1).toContain("lxc.cgroup2.devices.allow = a\nlxc.cgroup.devices.allow = a\n");
    expect(onV1).toContain("lxc.cgroup.memory.limit_in_bytes = 4294967296\n");
    expect(lxcConfig(100, guestConfig(options, recipe), place)).not.toMatch(/lxc\.cgroup\.(?!relative|dir)/);
  });

  it("sets addresses, but not for an unmanaged guest", () => {
    const managed = lxcConfig(100, guestConfig(options), place);
    expect(managed).toContain("lxc.net.0.ipv4.address = 198.18.1.20/24\n");
    expect(managed).toContain("lxc.net.0.veth.pair = veth100i0\n");
    const unmanaged = guestConfig([...options.filter(([key]) => key !== "ostype"), ["ostype", "unmanaged"]]);
    expect(lxcConfig(100, unmanaged, place)).not.toMatch(/ipv4|flags/);
  });

  it("mounts folders of the host", () => {
    const mounts: [string, string][] = [
      ["mp0", "local-lvm:vm-100-disk-1,mp=/data,size=8G"],
      ["mp1", "/srv/media,mp=/media/films,ro=1"],
    ];
    const text = lxcConfig(100, guestConfig([...options, ...mounts]), place);
    expect(text.match(/lxc\.mount\.entry = .*/g)).toEqual([
      "lxc.mount.entry = /srv/media media/films none bind,create=dir,ro 0 0",
    ]);
  });

  it("sets no CPUs if a raw line sets them", () => {
    const own: RawLine = ["lxc.cgroup2.cpuset.cpus", "1"];
    const text = lxcConfig(100, guestConfig(options, [own]), { ...place, cpus: "0" });
    expect(text.match(/cpuset\.cpus = .*/g)).toEqual(["cpuset.cpus = 1"]);
    expect(lxcConfig(100, guestConfig(options), { ...place, cpus: "0" })).toContain("cpuset.cpus = 0\n");
  });
});

describe("limits", () => {
  it("are throttled before they are reached, as PVE computes it", () => {
    const high = (memory: string) =>
      Number(new Map(limitLines(guestConfig([["memory", memory]]))).get("lxc.cgroup2.memory.high"));
    expect(high("1024")).toBe(1016 * 1024 ** 2);
    expect(high("16384")).toBe((16384 - 128) * 1024 ** 2);
  });

  it.each<[string, string, string[]]>([
    ["memory.max", "1048576", ["memory.limit_in_bytes 1048576"]],
    ["memory.max", "max", ["memory.limit_in_bytes -1"]],
    ["cpu.max", "150000 100000", ["cpu.cfs_period_us 100000", "cpu.cfs_quota_us 150000"]],
    ["cpu.max", "max", ["cpu.cfs_period_us 100000", "cpu.cfs_quota_us -1"]],
    ["cpu.weight", "50", ["cpu.shares 512"]],
    ["devices.deny", "c 5:1 rwm", ["devices.deny c 5:1 rwm"]],
    ["memory.high", "1", []],
  ])("%s = %s on version 1", (setting, value, expected) => {
    const twins = v1Twin([`lxc.cgroup2.${setting}`, value]);
    expect(twins.map(([key, text]) => `${key.replace("lxc.cgroup.", "")} ${text}`)).toEqual(expected);
  });

  it("ignore lines that are no cgroup setting", () => {
    expect(v1Twin(["lxc.mount.auto", "proc:rw"])).toEqual([]);
  });
});

describe("CPUs", () => {
  const cores = (count: number) => guestConfig([["cores", String(count)]]);

  it("are given to a guest, the least used ones first", () => {
    const cpus = new CpuAssignment(4);
    expect(cpus.assign(100, cores(2))).toBe("0,1");
    expect(cpus.assign(101, cores(2))).toBe("2,3");
    expect(cpus.assign(102, cores(1))).toBe("0");
    cpus.release(101);
    expect(cpus.assign(103, cores(2))).toBe("2,3");
    expect(cpus.count(103)).toBe(2);
  });

  it("are all CPUs for a guest with as many cores as the machine, or without a number", () => {
    const cpus = new CpuAssignment(2);
    expect(cpus.assign(100, cores(4))).toBeUndefined();
    expect(cpus.assign(101, guestConfig([]))).toBeUndefined();
    expect(cpus.count(100)).toBe(2);
  });
});

describe("network interfaces", () => {
  it("are read by index, only with fixed addresses", () => {
    const networks = guestNetworks(
      guestConfig([
        ["net1", "name=eth1,bridge=vmbr1,ip=dhcp,ip6=auto,link_down=1"],
        ["net0", "name=eth0,bridge=vmbr0,ip=10.0.0.5/24,gw=10.0.0.1,mtu=1400"],
      ]),
    );
    expect(networks).toEqual([
      { index: 0, name: "eth0", bridge: "vmbr0", ip: "10.0.0.5/24", gw: "10.0.0.1", mtu: "1400", linkDown: false },
      { index: 1, name: "eth1", bridge: "vmbr1", linkDown: true },
    ]);
  });
});
