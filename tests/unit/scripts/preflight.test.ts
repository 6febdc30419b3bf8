import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

import { type Finding, parseFindings } from "../../../cli/doctor/finding";
import { taskText } from "../../../remote/script";

/*
 * What the checks conclude from what a Proxmox host shows, on files and answers in a scratch folder: also from what no lab
 * has. That the commands are the right ones is shown on a host, in tests/lab/doctor.test.ts.
 */

const MARK = "proxmox-k3s project/stack/homelab 0123456789abcdef";
const TEMPLATE = "local:vztmpl/ubuntu-22.04-standard_22.04-1_amd64.tar.zst";
const NODES = [
  `100 k3s-master 192.168.2.20 local-lvm 32 ${TEMPLATE}`,
  `102 k3s-worker-01 192.168.2.21 local-lvm 50 ${TEMPLATE}`,
];
const GIB = 1024 ** 3;

interface Storage {
  readonly storage: string;
  readonly type: string;
  readonly active: number;
  readonly avail: number;
  readonly content: string;
}

/** A host on which all is well, until a test changes something. */
class Host {
  readonly root = fs.mkdtempSync(path.join(os.tmpdir(), "preflight-"));
  versions: Record<string, string> = { "pve-manager": "9.2.3", "lxc-pve": "6.0.5-4" };
  sysctls: Record<string, string> = { "net.ipv4.ip_forward": "1", "fs.inotify.max_user_instances": "65536" };
  nodes: object[] = [{ node: "pve", type: "node", "cgroup-mode": 2 }];
  storages: Storage[] = [storage({ storage: "local", type: "dir", content: "vztmpl,iso" }), storage({})];
  templates: string[] = [TEMPLATE];
  images: string[] = [];
  pools: string[] = ["homelab"];
  /** Guests as Proxmox VE lists them. */
  guests: { vmid: number; pool?: string }[] = [];
  /** Addresses that answer a ping, and those that answer ARP alone. */
  answering: string[] = [];
  silent: string[] = [];
  /** Modules that could be loaded. */
  loadable: string[] = [];
  cgroupMount = "cgroup2fs";
  /** What the script is told of the cluster. */
  args: Record<string, string> = {
    PVE_NODE: "pve",
    FURTHER: "",
    FIRMWARE: "",
    MODULES: "vxlan",
    OVERLAYFS: "local-lvm",
  };
  /** Paths for which Proxmox VE has no answer. */
  readonly deaf: string[] = [];
  /** Whether nft can ask the kernel. */
  nft = false;

  constructor() {
    for (const dir of ["etc/nodes/pve/lxc", "etc/nodes/pve/qemu-server", "net/vmbr0/bridge", "bin", "work"])
      fs.mkdirSync(path.join(this.root, dir), { recursive: true });
    for (const file of ["proc/sys/net/bridge/bridge-nf-call-iptables", "proc/sys/net/netfilter/nf_conntrack_max"])
      this.write(file, "1\n");
    this.write("proc/filesystems", "nodev\toverlay\n");
    this.write("sys/module/vxlan/version", "0.1\n");
  }

  write(file: string, text: string, mode = 0o644): void {
    fs.mkdirSync(path.dirname(path.join(this.root, file)), { recursive: true });
    fs.writeFileSync(path.join(this.root, file), text, { mode });
  }

  remove(file: string): void {
    fs.rmSync(path.join(this.root, file), { recursive: true });
  }

  conf(vmid: number, text: string, kind = "lxc"): void {
    this.write(`etc/nodes/pve/${kind}/${vmid}.conf`, text);
  }

  run(
    action: "look" | "create",
    mark = MARK,
  ): { code: number | null; output: string; outcome: string; asked: boolean } {
    this.writeCommands();
    for (const file of ["work", "asked"]) fs.rmSync(path.join(this.root, file), { recursive: true, force: true });
    fs.mkdirSync(path.join(this.root, "work"));
    const text = taskText("preflight")
      .replaceAll("/etc/pve", `${this.root}/etc`)
      .replaceAll("/var/lib/proxmox-k3s", `${this.root}/state`)
      .replaceAll("/sys/class/net", `${this.root}/net`)
      .replaceAll("/sys/module", `${this.root}/sys/module`)
      .replaceAll(/\/proc\/(sys|filesystems)/g, `${this.root}/proc/$1`);
    const { status, stdout, stderr } = spawnSync("sh", ["-c", text], {
      encoding: "utf8",
      env: {
        ...{ PATH: `${this.root}/bin:${process.env["PATH"]}`, WORK: `${this.root}/work`, RUNNER: String(process.pid) },
        ...{ STEP: "homelab-preflight", ACTION: action, MARK: mark },
        ...{ BRIDGE: "vmbr0", POOL: "homelab", NODES: NODES.join("\n"), SNIPPETS: "", ...this.args },
      },
    });
    const outcome = path.join(this.root, "work/outcome");
    return {
      ...{ code: status, output: stdout + stderr, asked: fs.existsSync(path.join(this.root, "asked")) },
      outcome: fs.existsSync(outcome) ? fs.readFileSync(outcome, "utf8").trimEnd() : "",
    };
  }

  /** The findings that are not ok. */
  troubles(mark?: string): string[] {
    return this.findings(mark).map(({ level, check, seen }) => `${level} ${check}: ${seen}`);
  }

  /** What to do about them. */
  remedies(): string[] {
    return this.findings().map(({ remedy = "" }) => remedy);
  }

  findings(mark?: string): Finding[] {
    const { outcome, output } = this.run("look", mark);
    expect(output).toBe("");
    return parseFindings(outcome).filter(({ level }) => level !== "ok");
  }

  private writeCommands(): void {
    const answers = (values: Record<string, string>, word: string): string =>
      Object.entries(values)
        .map(([name, value]) => `${name}) echo '${value}' ;;`)
        .join(" ")
        .replace(/^/, `case ${word} in `)
        .concat(" *) exit 1 ;; esac");
    const anyOf = (values: readonly string[]): string => (values.length > 0 ? values.join("|") : "none");
    const commands: Record<string, string> = {
      hostname: "echo pve.example.org",
      "dpkg-query": answers(this.versions, '"$4"'),
      sysctl: answers(this.sysctls, '"$2"'),
      stat: `echo ${this.cgroupMount}`,
      iptables: ":",
      nft: this.nft ? ":" : "exit 1",
      modprobe: `case $3 in ${anyOf(this.loadable)}) ;; *) exit 1 ;; esac`,
      ping: `for last; do :; done; case $last in ${anyOf(this.answering)}) ;; *) exit 1 ;; esac`,
      ip: [
        'case "$*" in *"neigh show"*) for last; do :; done',
        `case $last in ${anyOf(this.silent)}) echo "$last dev vmbr0 lladdr bc:24:11:00:00:01 REACHABLE" ;; esac ;;`,
        '*"link show"*) echo up ;; esac',
      ].join("\n"),
      pvesh: [
        `: >${this.root}/asked`,
        "case $2 in",
        `${anyOf(this.deaf)}) echo "connection refused" >&2; exit 111 ;;`,
        `/cluster/resources) case $4 in node) echo '${JSON.stringify(this.nodes)}' ;; vm) echo '${JSON.stringify(this.guests)}' ;; esac ;;`,
        `/pools) echo '${JSON.stringify(this.pools.map((poolid) => ({ poolid })))}' ;;`,
        `/nodes/pve/storage) echo '${JSON.stringify(this.storages)}' ;;`,
        `/nodes/pve/storage/local/content) case $4 in`,
        `vztmpl) echo '${JSON.stringify(this.templates.map((volid) => ({ volid })))}' ;;`,
        `import) echo '${JSON.stringify(this.images.map((volid) => ({ volid })))}' ;; esac ;;`,
        `*) echo "no such path $2" >&2; exit 2 ;; esac`,
      ].join("\n"),
    };
    for (const [name, text] of Object.entries(commands)) this.write(`bin/${name}`, `#!/bin/sh\n${text}\n`, 0o755);
  }
}

function storage(of: Partial<Storage>): Storage {
  return { storage: "local-lvm", type: "lvmthin", active: 1, avail: 200 * GIB, content: "rootdir,images", ...of };
}

const hosts: Host[] = [];
function host(change: (host: Host) => void = () => {}): Host {
  const made = new Host();
  hosts.push(made);
  change(made);
  return made;
}
afterAll(() => hosts.forEach(({ root }) => fs.rmSync(root, { recursive: true })));

const conf = (name: string, address: string, mark = ""): string =>
  `${mark && `#creation 5f3a9c1e0b7d4421 of ${mark}\n`}hostname: ${name}\nnet0: name=eth0,bridge=vmbr0,ip=${address}/24,gw=192.168.2.1\n`;

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

  it("has nf_tables also if it is built into the kernel, where it has no files", () => {
    const built = host((each) => (each.args["MODULES"] = "vxlan nf_tables"));
    expect(built.troubles()).toEqual(["fail kernel-modules: not loaded, and a container cannot load them: nf_tables"]);
    built.nft = true;
    expect(built.troubles()).toEqual([]);
  });

  it("has another name than the config's: this is the only finding, and the questions are about this host", () => {
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
  ])("needs the modules that K3s' options decide: %s", (_, args, troubles) => {
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

describe("the firmware of a template of virtual machines", () => {
  const troubles = (firmware: string, conf: string) =>
    host((each) => {
      each.args["NODES"] = "120 k3s-vm-1 192.168.2.40 local-lvm 20 9000";
      each.args["FIRMWARE"] = firmware;
      const text = `name: golden\nscsi0: local-lvm:base-9000-disk-0,size=2G\ntemplate: 1\n${conf}`;
      each.write("etc/qemu-server/9000.conf", text);
    }).troubles();

  it.each([
    ["", "bios: ovmf\n"],
    ["9000 seabios", ""],
    ["9000 ovmf", "bios: ovmf\nefidisk0: local-lvm:base-9000-disk-1,efitype=4m,size=528K\n"],
  ])("fits: %j, %j", (firmware, conf) => expect(troubles(firmware, conf)).toEqual([]));

  it.each([
    ["9000 ovmf", "", "fail template: the template 9000 (golden) has no EFI disk, which bios: ovmf needs"],
    ["9000 seabios", "bios: ovmf\n", "fail template: the template 9000 (golden) boots by UEFI, not by bios: seabios"],
  ])("does not fit: %j, %j", (firmware, conf, trouble) => expect(troubles(firmware, conf)).toEqual([trouble]));
});

describe("storage", () => {
  it.each([
    [{ type: "zfspool" }, /^fail storage: local-lvm is ZFS, where the overlayfs/],
    [{ content: "images" }, /^fail storage: local-lvm does not allow containers \(content: images\)/],
    [{ active: 0 }, /^fail storage: local-lvm is not active/],
    [{ storage: "tank" }, /^fail storage: there is no storage local-lvm on pve; existing storages: local tank$/],
    [{ avail: 5 * GIB }, /^fail space: local-lvm has 5 GiB free; 2 new machines need 82 GiB/],
    [
      { avail: 40 * GIB },
      /^warn space: local-lvm has 40 GiB free; 2 new machines need 82 GiB when their disks are full/,
    ],
    [{ avail: 40 * GIB, type: "lvm" }, /^fail space: local-lvm has 40 GiB free/],
  ])("%j", (change, line) => {
    const [local] = host().storages;
    const changed = host((each) => (each.storages = [local!, storage(change)]));
    expect(changed.troubles()).toEqual([expect.stringMatching(line)]);
  });

  it("has room for further disks too, and takes disks of virtual machines", () => {
    const further = (FURTHER: string, change: Partial<Storage> = {}) =>
      host((each) => {
        each.storages = [
          storage({ avail: 90 * GIB, ...change }),
          storage({ storage: "slow", content: "iso", avail: GIB }),
        ];
        each.args["FURTHER"] = FURTHER;
      });
    expect(further("").troubles()).toEqual([]);
    expect(further("320 local-lvm 10\n320 slow 5").troubles()).toEqual([
      "warn space: local-lvm has 90 GiB free; 2 new machines and 1 further disks need 92 GiB when their disks are full",
      "fail storage: slow does not allow virtual machines (content: iso)",
    ]);
    const kept = further("320 local-lvm 10");
    kept.conf(320, `#disks of k3s-vm-1 of ${MARK}\nname: k3s-vm-1-disks\n`, "qemu-server");
    expect(kept.troubles()).toEqual([]);
    kept.conf(320, "#mine\nname: nas\n", "qemu-server");
    expect(kept.troubles()).toContainEqual(
      expect.stringMatching(/^fail vmid: VMID 320, wanted for a guest that keeps disks, belongs to the guest "nas"/),
    );
  });

  it("may be ZFS if no node there needs overlayfs", () => {
    const zfs = (overlayfs: string) =>
      host((each) => {
        each.storages = [storage({ type: "zfspool" })];
        each.args["OVERLAYFS"] = overlayfs;
      });
    expect(zfs("").troubles()).toEqual([]);
    expect(zfs("tank").troubles()).toEqual([]);
    expect(zfs("tank\nlocal-lvm").remedies()).toEqual([expect.stringContaining("or set snapshotter: native")]);
  });

  it("is not guessed if Proxmox VE gives no answer", () => {
    const stuck = host((each) => each.deaf.push("/nodes/pve/storage", "/nodes/pve/storage/local/content"));
    expect(stuck.troubles()).toEqual([
      "fail storage: Proxmox VE does not list the storages of pve: connection refused",
      `fail template: ${TEMPLATE} does not exist: connection refused`,
    ]);
  });

  it("counts the machines that do not exist yet", () => {
    const half = host((each) => {
      each.storages = [storage({ avail: 60 * GIB })];
      each.conf(100, conf("k3s-master", "192.168.2.20", MARK));
    });
    expect(half.troubles()).toEqual([]);
  });
});

describe("what virtual machines are made of", () => {
  const local = (content: string, avail = 50 * GIB) => storage({ storage: "local", type: "dir", content, avail });
  const vms = (source: string, content = "import,snippets", change: (host: Host) => void = () => {}): Host =>
    host((each) => {
      each.args["NODES"] = `120 k3s-vm-1 192.168.2.40 local-lvm 20 ${source}`;
      each.args["SNIPPETS"] = "local";
      each.storages = [local(content), storage({})];
      change(each);
    });
  const VOLUME = "local:import/debian-13.qcow2";
  const OURS = "local:import/proxmox-k3s-0123456789abcdef-aaaaaaaaaaaa.qcow2";

  it("is there, or can be downloaded, and the storage takes snippets", () => {
    expect(vms("local:import").troubles()).toEqual([]);
    expect(vms(VOLUME, undefined, (each) => (each.images = [VOLUME])).troubles()).toEqual([]);
    // The root disk is none of a container's.
    expect(
      vms("local:import", undefined, (each) => (each.storages[1] = storage({ content: "images" }))).troubles(),
    ).toEqual([]);
  });

  it.each([
    [
      "local:import",
      "snippets",
      "image",
      "local does not allow the content type import (content: snippets)",
      "pvesm set local --content snippets,import",
    ],
    [
      VOLUME,
      "import,snippets",
      "image",
      `${VOLUME} does not exist`,
      "put the file there (web interface: pve, local, Import), or set image.url instead of image.volume",
    ],
    [
      "nas:import",
      "import,snippets",
      "image",
      "there is no storage nas on pve; existing storages: local local-lvm",
      "set image.storage (or image.volume) to one of them",
    ],
    [
      "local:import",
      "import",
      "snippets",
      "local does not allow the content type snippets (content: import)",
      "pvesm set local --content import,snippets; or install qemu-guest-agent in the image or template yourself, and set installAgent: false in the pool",
    ],
  ])("%s on a storage with %s: %s", (source, content, check, seen, remedy) => {
    const lacking = vms(source, content);
    expect(lacking.troubles()).toEqual([`fail ${check}: ${seen}`]);
    expect(lacking.remedies()).toEqual([remedy]);
  });

  it("gets one command for both contents, as the second would take back the first", () => {
    expect(vms("local:import", "iso").remedies()).toEqual([
      "pvesm set local --content iso,import",
      expect.stringMatching(/^pvesm set local --content iso,import,snippets; or/),
    ]);
  });

  it("needs room for a download, but only for one that is still to come", () => {
    const full = (images: string[]) =>
      vms("local:import", undefined, (each) => {
        each.storages = [local("import,snippets", GIB), storage({})];
        each.images = images;
      }).troubles();
    expect(full([VOLUME])).toEqual(["fail image: local has 1 GiB free, and an image is to be downloaded to it"]);
    expect(full([OURS])).toEqual([]);
  });

  it("needs no snippets if no machine installs its agent", () => {
    expect(vms("local:import", "import", (each) => (each.args["SNIPPETS"] = "")).troubles()).toEqual([]);
  });
});

describe("the resource pool", () => {
  const standing = (each: Host): void => {
    each.conf(100, conf("k3s-master", "192.168.2.20", MARK));
    each.conf(102, conf("k3s-worker-01", "192.168.2.21", MARK));
    each.conf(105, conf("nas", "192.168.2.9"));
    each.guests = [{ vmid: 100, pool: "homelab" }, { vmid: 102 }, { vmid: 105 }];
  };

  it("must exist before a machine is created in it", () => {
    const without = host((each) => (each.pools = ["other"]));
    expect(without.troubles()).toEqual(["fail resource-pool: there is no resource pool homelab"]);
    const { code, output } = without.run("create");
    expect(code).toBe(1);
    expect(output).toContain("there is no resource pool homelab (pveum pool add homelab, then grant");
  });

  it("is also reported if a cluster exists that was created without it", () => {
    const early = host((each) => {
      standing(each);
      each.guests = [];
      each.pools = [];
    });
    expect(early.troubles()).toEqual(["warn resource-pool: there is no resource pool homelab"]);
  });

  it("must have all guests of ours, and no others", () => {
    const outside = "guests of this cluster are not in the resource pool homelab, so the API token may not change them";
    expect(host(standing).troubles()).toEqual([`warn resource-pool: ${outside}: 102`]);
    const moved = host((each) => {
      standing(each);
      each.guests = [{ vmid: 100, pool: "other" }, { vmid: 102 }];
    });
    expect(moved.troubles()).toEqual([`warn resource-pool: ${outside}: 100 102`]);
    expect(moved.remedies()).toEqual(["pveum pool modify homelab --allow-move 1 --vms 100,102"]);
  });
});

describe("VMIDs and addresses", () => {
  it("that other guests have are all named", () => {
    const taken = host((each) => {
      each.conf(100, conf("nas", "192.168.2.9"));
      each.conf(102, "name: mail\n", "qemu-server");
      each.answering = ["192.168.2.20"];
      each.silent = ["192.168.2.21"];
    });
    expect(taken.troubles()).toEqual([
      expect.stringMatching(/^fail vmid: VMID 100, wanted for k3s-master, belongs to the guest "nas" /),
      "fail address: 192.168.2.20, wanted for k3s-master, is in use: something answers there",
      expect.stringMatching(/^fail vmid: VMID 102, wanted for k3s-worker-01, belongs to the guest "mail" /),
      "fail address: 192.168.2.21, wanted for k3s-worker-01, is in use: something answers there",
    ]);
  });

  it("get a free VMID as a proposal: none of a guest, of a node, or proposed before", () => {
    const taken = host((each) => {
      each.conf(100, conf("nas", "192.168.2.9"));
      each.conf(101, "name: mail\n", "qemu-server");
      each.conf(102, conf("web", "192.168.2.10"));
    });
    expect(taken.remedies()).toEqual([
      expect.stringContaining("give k3s-master another VMID, for example 103: vmIds of its pool"),
      expect.stringContaining("give k3s-worker-01 another VMID, for example 104: vmIds of its pool"),
    ]);
  });

  describe("of nodes that another state has", () => {
    const elsewhere = host((each) => {
      each.conf(100, conf("k3s-master", "192.168.2.20", MARK));
      each.conf(102, conf("k3s-worker-01", "192.168.2.21", MARK));
      each.answering = ["192.168.2.20", "192.168.2.21"];
    });

    it.each([
      ["before the first up", ""],
      ["after a new id", MARK.replace("0123", "3210")],
    ])("are one finding, which says to use that state and not other VMIDs: %s", (_, mark) => {
      expect(elsewhere.troubles(mark)).toEqual([
        `fail vmid: these guests are nodes of this cluster in another Pulumi state: 100 k3s-master (${MARK}), 102 k3s-worker-01 (${MARK})`,
      ]);
      expect(elsewhere.run("create", mark).output).toContain(
        "(use the state that has these guests: pulumi login to its backend, or copy it to this machine (docs/second-machine.md). Other VMIDs would make a second cluster)",
      );
    });

    it("are strangers to another cluster, and so is a guest of another name before the first up", () => {
      for (const mark of [MARK.replace("/homelab", "/edge"), MARK.replace("/stack", "/other")].map((each) =>
        each.replace("0123", "3210"),
      ))
        expect(elsewhere.troubles(mark)[0]).toMatch(/^fail vmid: VMID 100, wanted for k3s-master, .* is not ours$/);
      const named = host((each) => each.conf(100, conf("edge-1", "192.168.2.20", MARK)));
      expect(named.troubles("")[0]).toMatch(/^fail vmid: VMID 100, wanted for k3s-master, .* is not ours$/);
    });
  });

  it("may answer if a guest of ours has them", () => {
    const standing = host((each) => {
      each.conf(100, conf("k3s-master", "192.168.2.20", MARK));
      each.conf(109, conf("k3s-moved", "192.168.2.21", MARK));
      each.answering = ["192.168.2.20", "192.168.2.21"];
    });
    expect(standing.troubles()).toEqual([]);
  });

  it("cause a warning if a stopped guest has the address, but not for a snapshot or a longer address", () => {
    const near = host((each) => {
      each.conf(105, `${conf("off", "192.168.2.20")}\n[before]\nnet0: name=eth0,ip=192.168.2.21/24\n`);
      each.conf(106, conf("near", "192.168.2.210"));
    });
    expect(near.troubles()).toEqual([
      `warn address: 192.168.2.20, wanted for k3s-master, is also the address of the guest "off" (105), which does not answer now`,
    ]);
  });
});

it("names a guest whose creation was interrupted, in the plan or not, and no other guest of ours", () => {
  const cutOff = host((each) => {
    for (const vmid of [104, 105]) each.conf(vmid, conf(`k3s-worker-0${vmid - 101}`, "192.168.2.24", MARK));
    each.write("state/creations/105", "5f3a9c1e0b7d4421\n");
  });
  expect(cutOff.troubles()).toEqual([
    'warn creation: guest 105 ("k3s-worker-04") was created by this program, but its set-up never finished',
  ]);
  expect(cutOff.findings().map(({ vmId }) => vmId)).toEqual([105]);
});
