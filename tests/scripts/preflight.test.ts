import { conf, host, MARK, TEMPLATE } from "../support/preflightHost";

/*
 * The checks' findings from a Proxmox host's state, on files and answers in a scratch folder: also for states that no lab has.
 * tests/lab/doctor.test.ts shows on a host that the commands are the right ones.
 */

describe("a healthy host", () => {
  it("passes every check, with and without a cluster", () => {
    expect(host().troubles()).toEqual([]);
    expect(host().troubles("")).toEqual([]);
    expect(host().run("create")).toMatchObject({ code: 0, outcome: "the Proxmox host is ready for 2 machines" });
  });

  it("is not checked by an up if all machines exist, whatever its state", () => {
    const later = host((each) => {
      each.conf(100, conf("k3s-master", "192.168.2.20", MARK));
      each.conf(102, conf("k3s-worker-01", "192.168.2.21", MARK));
      each.templates = [];
    });
    expect(later.run("create")).toMatchObject({ code: 0, outcome: "all machines exist already", asked: false });
    expect(later.troubles()).toEqual([`warn template: ${TEMPLATE} does not exist`]);
  });
});

it("fails an up with all failures at once, after the warnings, and names the next step", () => {
  const sick = host((each) => {
    each.templates = [];
    each.nodes = [{ node: "pve", "cgroup-mode": 1 }];
    each.versions["pve-manager"] = "8.4.1";
  });
  const { code, output } = sick.run("create");
  expect(code).toBe(1);
  expect(output.trim().split("\n")).toEqual([
    "warning: proxmox-version: Proxmox VE 8.4.1; 9 is recommended (https://pve.proxmox.com/wiki/Upgrade_from_8_to_9)",
    "",
    "error: homelab-preflight: the Proxmox host is not ready, so no machine was created:",
    "  - cgroup: the host runs cgroup version 1, which kubelet refuses from 1.35 on (remove systemd.unified_cgroup_hierarchy=0 from the kernel's command line, then reboot)",
    `  - template: ${TEMPLATE} does not exist (pveam update && pveam download local ${TEMPLATE.split("/")[1]})`,
    "next:  fix these, then pulumi up; npx proxmox-k3s doctor repeats all checks",
  ]);
});

describe("the host itself", () => {
  it.each([
    ["8.3.5", "fail"],
    ["8.4.0", "warn"],
    ["10.0.1", "nothing"],
  ])("says of Proxmox VE %s: %s", (version, level) => {
    const [line] = host((each) => (each.versions["pve-manager"] = version)).troubles();
    expect(line?.split(" ")[0] ?? "nothing").toBe(level);
  });

  it("is not Proxmox VE", () => {
    expect(host((each) => (each.versions = {})).troubles()).toEqual([
      "fail proxmox-version: Proxmox VE is not installed on this host",
      "fail lxc-pve: lxc-pve is not installed",
    ]);
  });

  it("shows its cgroup version by the mount if pvestatd has reported none", () => {
    const silent = host((each) => (each.nodes = [{ node: "other", "cgroup-mode": 2 }, { node: "pve" }]));
    expect(silent.troubles()).toEqual([]);
    silent.cgroupMount = "tmpfs";
    expect(silent.troubles()).toEqual([expect.stringMatching(/^fail cgroup: the host runs cgroup version 1/)]);
  });

  it("may load modules on use, but not the one that nothing requests", () => {
    const lazy = host((each) => {
      each.remove("sys/module/vxlan");
      each.loadable = ["vxlan", "br_netfilter"];
    });
    expect(lazy.troubles()).toEqual(["warn kernel-modules: not loaded yet: vxlan"]);
    lazy.remove("proc/sys/net/bridge");
    expect(lazy.troubles()).toEqual([
      "fail kernel-modules: not loaded, and a container cannot load them: br_netfilter",
    ]);
  });

  it("has nf_tables also if it is built into the kernel, without module files", () => {
    const built = host((each) => (each.args["MODULES"] = "vxlan nf_tables"));
    expect(built.troubles()).toEqual(["fail kernel-modules: not loaded, and a container cannot load them: nf_tables"]);
    built.nft = true;
    expect(built.troubles()).toEqual([]);
  });

  it("has another name than in the config: this is the only finding, and the questions are about this host", () => {
    const other = host((each) => (each.args["PVE_NODE"] = "proxmox"));
    expect(other.troubles()).toEqual(["fail proxmox-node: this host is pve, not proxmox"]);
    expect(other.remedies()).toEqual(["set proxmox.node to pve, or proxmox.host to the address of proxmox"]);
  });

  it.each([
    ["wireguard-native", { MODULES: "wireguard" }, ["warn kernel-modules: not loaded yet: wireguard"]],
    ["no overlayfs and no flannel", { MODULES: "", OVERLAYFS: "" }, []],
    [
      "ipvs",
      { MODULES: "vxlan ip_vs" },
      ["fail kernel-modules: not loaded, and a container cannot load them: vxlan ip_vs"],
    ],
  ])("needs the modules for K3s' options: %s", (_, args, troubles) => {
    const bare = host((each) => {
      each.remove("sys/module/vxlan");
      each.write("proc/filesystems", "");
      if (!("OVERLAYFS" in args)) each.write("proc/filesystems", "nodev\toverlay\n");
      each.loadable = ["wireguard"];
      Object.assign(each.args, args);
    });
    expect(bare.troubles()).toEqual(troubles);
  });

  it("needs inotify instances for all the machines", () => {
    const few = host((each) => (each.sysctls["fs.inotify.max_user_instances"] = "128"));
    expect(few.troubles()).toEqual(["warn sysctls: lower than required: fs.inotify.max_user_instances=1024"]);
  });
});
