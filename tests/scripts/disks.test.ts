import * as fs from "node:fs";
import * as path from "node:path";

import { CREATION, MARK, ScriptedHost, type ScriptRun } from "../support/scriptedHost";

/*
 * The guest that keeps a node's further disks, and how the node's machine gets them, on configuration files in a scratch folder. `qm` is
 * a double that writes what Proxmox VE would; tests/engine/vms.test.ts runs the same scripts with the lab's `qm`.
 */

const DISKS = "data local-lvm 50\nlogs slow 5";
const POLICY = "0123456789abcdef/policy";

/** Writes the configuration of guests as Proxmox VE does. Call number `failing` fails before it changes anything. */
const qm = (root: string, failing: number): string => `
calls=$(wc -l <"${root}/qm")
case "$1" in create | set | destroy) [ "$calls" != ${failing} ] || { echo "killed" >&2; exit 255; } ;; esac
conf="${root}/etc/nodes/pve/qemu-server/$2.conf"
case "$1 $3" in
  "status "*) echo "status: running" ;;
  "create "*)
    for description; do :; done
    printf '#%s\\nname: %s\\nprotection: 1\\n' "$description" "$4" >"$conf" ;;
  "set --scsi"*)
    key=\${3#--} volume=\${4%%,*} options=\${4#*,}
    case \${volume#*:} in
      *[!0-9]*) size=$(grep -rhoE "$volume,.*size=[0-9]+G" "${root}/etc" | sed 's/.*size=//' | head -n 1) ;;
      *) size=\${volume#*:}G volume=\${volume%%:*}:vm-$2-disk-$(grep -c ^scsi "$conf") ;;
    esac
    case $options in *size=*) ;; *) options=$options,size=$size ;; esac
    sed -i "/^$key:/d" "$conf"
    echo "$key: $volume,$options" >>"$conf" ;;
  "set "*)
    sed -i "/^\${3#--}:/d" "$conf"
    echo "\${3#--}: $4" >>"$conf" ;;
  "disk "*) sed -i "s/^\\($4: .*size=\\)[0-9]*G/\\1$5/" "${root}/etc/nodes/pve/qemu-server/$3.conf" ;;
  "destroy "*) rm "$conf" ;;
  "guest "*)
    case "$*" in
      *"cloud-init status"*) echo "status: done" | answer 0 ;;
      *"ip -4"*) echo "2: eth0    inet 198.18.0.20/24 scope global" | answer 0 ;;
      *) : | answer 0 ;;
    esac ;;
esac`;

class Host extends ScriptedHost {
  constructor() {
    super();
    this.failAt(0);
  }

  failAt(call: number): void {
    this.qm(qm(this.root, call));
  }

  keep(action: "create" | "update" | "delete" = "create", env: Readonly<Record<string, string>> = {}): ScriptRun {
    const all = { VMID: "320", DISKS, POOL: "homelab", CLUSTER_ID: "0123456789abcdef", ...env };
    return this.script("disks", action, all);
  }

  machine(disks = DISKS): ScriptRun {
    const env = { ADDRESS: "198.18.0.20", DISK: "20", AUTHORIZED_KEYS: "", URN: "urn", DISKS: disks };
    return this.script("vm", "create", { ...env, DISKS_VMID: disks === "" ? "" : "320" });
  }

  policy(onDisks: string): void {
    fs.mkdirSync(path.dirname(path.join(this.root, "state", POLICY)), { recursive: true });
    fs.writeFileSync(path.join(this.root, "state", POLICY), `ON_BLOCKED=stop\nON_DISKS=${onDisks}\n`);
  }

  drives = (vmid: number): string[] =>
    this.conf(vmid, undefined, "qemu-server")
      .split("\n")
      .filter((line) => line.startsWith("scsi"));
}
const ours = `#creation ${CREATION} of ${MARK}\nname: node-1\nscsi0: local-lvm:vm-103-disk-0,size=20G\n`;

/** A host with the guest that keeps the disks, and the node's machine. */
function withMachine(): Host {
  const host = new Host().record("creations", 103);
  host.keep();
  host.conf(103, ours, "qemu-server");
  return host;
}

describe("the guest that keeps the disks", () => {
  const complete = [
    "scsi0: local-lvm:vm-320-disk-0,serial=data,backup=0,size=50G",
    "scsi1: slow:vm-320-disk-1,serial=logs,backup=0,size=5G",
  ];

  it("is protected, cannot be started, and names the node whose disks it has", () => {
    const host = new Host();
    expect(host.keep()).toMatchObject({ code: 0, outcome: "guest 320 keeps the disks of node-1: data logs" });
    const conf = host.conf(320, undefined, "qemu-server");
    expect(conf).toContain(`#disks of node-1 of ${MARK}\nname: node-1-disks\nprotection: 1\n`);
    expect(conf).toMatch(/^template: 1$/m);
    expect(host.drives(320)).toEqual(complete);
    const { code, qm: calls } = host.keep("update");
    expect([code, calls]).toEqual([0, []]);
  });

  it.each([1, 2, 3, 4, 5, 6])("is finished by the next run if the host stops before command %i", (call) => {
    const host = new Host();
    host.failAt(call);
    expect(host.keep().code).not.toBe(0);
    host.failAt(0);
    expect(host.keep().code).toBe(0);
    expect(host.drives(320)).toEqual(complete);
    expect(host.conf(320, undefined, "qemu-server")).toMatch(/^template: 1$/m);
  });

  it("gets a new disk in addition to those that it has", () => {
    const host = new Host();
    host.keep("create", { DISKS: "data local-lvm 50" });
    host.keep("update", { DISKS: "logs slow 5\ndata local-lvm 60" });
    expect(host.drives(320)).toEqual(complete);
  });

  it.each([
    ["a foreign", "#my mail\nname: mail\n", 'belongs to the guest "mail"'],
    ["a node", ours, "is this cluster's guest node-1; it was not touched"],
    ["another node's", `#disks of node-2 of ${MARK}\nname: node-2-disks\n`, "is this cluster's guest node-2-disks"],
  ])("is never %s guest", (_, conf, words) => {
    const host = new Host();
    host.conf(320, conf, "qemu-server");
    const { code, output, qm: calls } = host.keep();
    expect([code, calls]).toEqual([1, []]);
    expect(output).toContain(words);
    expect(output).toContain("next:  set disksVmIds of its pool to free VMIDs");
  });
});

describe("the node's machine", () => {
  it("gets each disk once, with its serial", () => {
    const host = withMachine();
    expect(host.machine().code).toBe(0);
    const attached = [
      "scsi0: local-lvm:vm-103-disk-0,size=20G",
      "scsi1: local-lvm:vm-320-disk-0,serial=data,discard=on,iothread=1,size=50G",
      "scsi2: slow:vm-320-disk-1,serial=logs,discard=on,iothread=1,size=5G",
    ];
    expect(host.drives(103)).toEqual(attached);
    expect(host.machine().code).toBe(0);
    expect(host.drives(103)).toEqual(attached);
  });

  it("gets the same disks after a rebuild, and keeps one that somebody added", () => {
    const host = withMachine();
    host.machine();
    host.record("creations", 103).conf(103, `${ours}scsi1: slow:vm-103-disk-1,size=8G\n`, "qemu-server");
    expect(host.machine().code).toBe(0);
    expect(host.drives(103).map((line) => line.split(",")[0])).toEqual([
      ...["scsi0: local-lvm:vm-103-disk-0", "scsi1: slow:vm-103-disk-1"],
      ...["scsi2: local-lvm:vm-320-disk-0", "scsi3: slow:vm-320-disk-1"],
    ]);
  });

  it("gets larger disks while it runs, and the other guest has the new size in its description", () => {
    const host = withMachine();
    host.machine();
    const { code, qm: calls } = host.machine("data local-lvm 60\nlogs slow 5");
    expect([code, calls.filter((call) => /^(disk|set)/.test(call))]).toEqual([
      0,
      ["disk resize 103 scsi1 60G", "set 320 --scsi0 local-lvm:vm-320-disk-0,serial=data,backup=0,size=60G"],
    ]);
  });

  it("keeps a disk that is larger than in the config, and the message has both sizes", () => {
    const host = withMachine();
    host.machine();
    const { code, output } = host.machine("data local-lvm 40\nlogs slow 5");
    expect(code).toBe(1);
    expect(output).toContain("the disk data of node-1 (103) has 50GB, the config says 40GB, and a disk cannot shrink");
  });

  it("gets a larger root disk in the same step, and keeps what somebody added", () => {
    const host = withMachine();
    const small = ours.replace("size=20G", "size=2252M");
    host.conf(103, `${small}scsi1: local-lvm:vm-103-disk-1,size=8G\n`, "qemu-server");
    const { code, qm: calls } = host.machine("");
    expect([code, calls.filter((call) => /^(disk|set)/.test(call))]).toEqual([0, ["disk resize 103 scsi0 20G"]]);
  });

  it.each([
    ["is gone", (file: string) => fs.rmSync(file), "guest 320, which keeps the further disks of node-1, is gone"],
    [
      "lost one",
      (file: string) => fs.writeFileSync(file, fs.readFileSync(file, "utf8").replace(/^scsi1.*\n/m, "")),
      "guest 320 does not have the disk logs of node-1",
    ],
  ])("says so if the guest that keeps its disks %s", (_, break_, words) => {
    const host = withMachine();
    break_(path.join(host.root, "etc/nodes/pve/qemu-server/320.conf"));
    const { code, output } = host.machine();
    expect([code, output]).toEqual([1, expect.stringContaining(words)]);
  });
});

describe("when the node leaves", () => {
  it("the disks stay, and the removal names them and the command that deletes them", () => {
    const host = new Host();
    host.keep();
    host.policy("keep");
    const { code, output, qm: calls } = host.keep("delete");
    expect([code, calls]).toEqual([0, []]);
    expect(output).toContain("the further disks of node-1 stay (data logs), on guest 320 (node-1-disks)\n");
    expect(output).toContain("qm set 320 --protection 0 && qm destroy 320 on the Proxmox host");
  });

  it("the disks stay if no policy is known", () => {
    const host = new Host();
    host.keep();
    expect(host.keep("delete").qm).toEqual([]);
  });

  it("the disks go if the policy says so, but not while a machine has them", () => {
    const host = withMachine();
    host.machine();
    host.policy("delete");
    const { code, output } = host.keep("delete");
    expect([code, output]).toEqual([1, expect.stringContaining("guest 103 (node-1) still has the disks of guest 320")]);
    fs.rmSync(path.join(host.root, "etc/nodes/pve/qemu-server/103.conf"));
    expect(host.keep("delete")).toMatchObject({ code: 0, qm: ["set 320 --protection 0", "destroy 320"] });
    expect(host.keep("delete")).toMatchObject({ code: 0, outcome: "guest 320 is already gone" });
  });

  it("a guest with that VMID that keeps no disks of the node is not touched", () => {
    const host = new Host();
    host.policy("delete");
    host.conf(320, "#mine\nname: mail\n", "qemu-server");
    expect(host.keep("delete")).toMatchObject({ code: 0, qm: [] });
  });
});
