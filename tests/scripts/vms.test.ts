import * as fs from "node:fs";
import * as path from "node:path";

import { parse } from "yaml";
import { parseGuests } from "../../cli/recover/guests";
import { CREATION, MARK, ScriptedHost } from "../support/scriptedHost";

/*
 * What the scripts do with virtual machines, on configuration files in a scratch folder. `qm` is a double that answers for the
 * guest agent; tests/engine/vms.test.ts runs the same scripts with the lab's `qm`.
 */

const URN = "urn:pulumi:homelab::proxmox-k3s::a$b::node-1";
const ours = [
  `#creation ${CREATION} of ${MARK}`,
  ...["agent: enabled=1", "name: node-1", "ide2: local-lvm:vm-103-cloudinit,media=cdrom", "ide3: none,media=cdrom"],
  ...["net0: virtio=02:11:22:33:44:55,bridge=vmbr0", "scsi0: local-lvm:vm-103-disk-0,size=20G", ""],
].join("\n");

/** A machine that has booted normally; `exec` decides what the guest answers to a command. */
const machine = (exec = ""): string => `
case "$1 $2 $3" in
  status*) echo "status: running" ;;
  "guest exec "*)
    case "$*" in
      ${exec}
      *"cloud-init status"*) echo "status: done" | answer 0 ;;
      *"ip -4"*) echo "2: eth0    inet 198.18.0.20/24 scope global" | answer 0 ;;
      *) : | answer 0 ;;
    esac ;;
esac`;

class Host extends ScriptedHost {
  constructor(exec?: string) {
    super();
    this.conf(103, ours, "qemu-server");
    this.qm(machine(exec));
  }

  run(
    task: "vm" | "back" | "host-key" | "claim" | "guard" | "discard" | "guests",
    env: Readonly<Record<string, string>> = {},
  ) {
    return this.script(task, "create", {
      ...{ ADDRESS: "198.18.0.20", DISK: "20", AUTHORIZED_KEYS: "ssh-ed25519 AAAA", URN },
      ...{ CREATION: "", NETWORK: "keep", DISKS: "", DISKS_VMID: "", TEMPLATE: "", WAIT: "0", ...env },
    });
  }
}
const begun = (exec?: string): Host => new Host(exec).record("creations", 103);

describe("back", () => {
  const look = (host: Host) =>
    host.run("back", { CLUSTER_ID: "0123456789abcdef", ROLE: "agent", AFTER: "its reboot", TIMEOUT: "0" });

  it("does not wait for K3s on a machine whose creation continues as a change, and sends it no command", () => {
    const run = look(begun());
    expect([run.code, run.outcome, run.qm]).toEqual([0, "node-1 has no K3s yet", []]);
  });

  it("sends no command to a machine with our mark whose creation is not on record", () => {
    const run = look(new Host());
    expect([run.code, run.output, run.qm]).toEqual([1, expect.stringContaining("has no record that the program"), []]);
  });
});

describe("vm", () => {
  it("waits for the agent and cloud-init, sets up SSH, and records that the machine is finished", () => {
    const host = begun();
    const run = host.run("vm");
    expect([run.code, run.outcome]).toEqual([0, "virtual machine 103 is set up"]);
    expect([host.kept("prepared/103"), host.kept("creations/103")]).toEqual([`${CREATION}\n`, ""]);
    const commands = run.qm.map((call) => call.replace(/^guest exec .* timeout -k 5 60 /, ""));
    expect(commands[1]).toBe("guest cmd 103 ping");
    const at = (part: string): number => commands.findIndex((command) => command.includes(part));
    expect([at("cloud-init status"), at("ip -4"), at("guest-ssh.sh"), at("sh -s")]).toEqual(
      [at("cloud-init status"), at("ip -4"), at("guest-ssh.sh"), at("sh -s")].sort((a, b) => a - b),
    );
    // It waits inside the machine: each call from outside would start Python there while it still boots.
    expect(commands[at("cloud-init status")]).toContain("cloud-init status --wait");
    expect(run.pct).toEqual([]);
  });

  it("starts a machine that does not run, and restarts one that had the machine id of its template", () => {
    const host = begun('*"sh -s"*) echo "new machine id" | answer 0 ;;');
    const { code, qm } = host.run("vm");
    expect([code, qm.filter((call) => /^(start|shutdown)/.test(call))]).toEqual([
      0,
      ["shutdown 103 --forceStop 1 --timeout 120", "start 103"],
    ]);
  });

  it.each([
    ["findmnt", "the file system of node-1 (103) could not be made as large as its disk"],
    ["machine-id", "node-1 (103) has the machine id of its template, and a new one could not be made"],
  ])("names the step in the machine that failed: %s", (word, cause) => {
    const host = begun(
      `*"sh -s"*) if base64 -d | grep -q ${word}; then echo "what it says" | answer 1; else : | answer 0; fi ;;`,
    );
    host.hurry();
    const { code, output } = host.run("vm");
    expect([code, output.match(/error: .*/g)]).toEqual([1, [`error: node-1-vm: ${cause}; the lines above say why`]]);
  });

  it("names machines whose file systems have the same UUID, as clones of one template have", () => {
    const uuid = "0d9a3f51-5f0e-4a1a-9d3b-0c1f6a7b8c9d";
    const host = begun(`*"findmnt"*) printf '${uuid}\\nno uuid; reboot\\nABCD-1234\\n' | answer 0 ;;`);
    expect(host.run("vm").output).not.toContain("UUID");
    expect(host.kept("uuids/103")).toBe(`${uuid}\nABCD-1234\n`);
    host.conf(104, ours.replace("node-1", "node-2"), "qemu-server");
    fs.writeFileSync(path.join(host.root, "state/uuids/104"), `${uuid}\n`);
    // Records of a guest that is gone, or is now a foreign one.
    for (const vmid of [105, 106]) fs.writeFileSync(path.join(host.root, `state/uuids/${vmid}`), `${uuid}\n`);
    host.conf(106, ours.replace(MARK, "somebody else's"), "qemu-server");
    const { code, output } = host.run("vm");
    expect([code, output.match(/.*the same UUID.*/g)]).toEqual([
      0,
      [
        `node-1 and node-2 (104) have file systems of one template, with the same UUID: ${uuid}. Do not attach a disk of one to the other`,
      ],
    ]);
  });

  it("gives up if the guest agent does not answer, and says what to do", () => {
    const host = begun();
    host.hurry();
    host.qm(
      'case "$1" in status) echo "status: running" ;; *) echo "QEMU guest agent is not running" >&2; exit 255 ;; esac',
    );
    const { code, output } = host.run("vm");
    expect(code).toBe(1);
    expect(output).toContain(
      "error: node-1-vm: the guest agent of node-1 (103) does not answer 300 s after its start\n",
    );
    expect(output).toContain("next:  look at its console with qm terminal 103 on the Proxmox host.");
    expect(output).toContain(
      "its template has no guest agent: install qemu-guest-agent there, or set installAgent: true",
    );
    host.conf(103, `${ours}cicustom: vendor=local:snippets/x.yaml\n`, "qemu-server");
    expect(host.run("vm").output).toContain("cloud-init did not install the guest agent: give the machine a gateway");
  });

  it("says that a machine has no cloud-init only if it answers so, and tells you to rebuild one that stopped in its first boot", () => {
    const without = begun(`*"cloud-init status"*) echo "status: missing" | answer 0 ;;`).run("vm").output;
    expect(without).toContain("error: node-1-vm: node-1 (103) has no cloud-init, which writes its address");
    const host = begun();
    host.qm(`
      stopped="${host.root}/stopped"
      case "$*" in
        status*) if [ -e "$stopped" ]; then echo "status: stopped"; else echo "status: running"; fi ;;
        *"cloud-init status"*) touch "$stopped"; echo "QEMU guest agent is not running" >&2; exit 255 ;;
        *) : | answer 0 ;;
      esac`);
    const { code, output } = host.run("vm");
    expect([code, output]).toEqual([
      1,
      expect.stringContaining("error: node-1-vm: node-1 (103) stopped by itself while it was set up\n"),
    ]);
    expect(output).toContain(
      `with qm start 103 on the Proxmox host, then pulumi up --replace '${URN}', which creates it again`,
    );
  });

  it("names the module and the lines of a cloud-init that failed, without control characters", () => {
    const result = String.raw`{\n "v1": {\n  "datasource": "NoCloud",\n  "errors": [\n   "('locale', Error(1))\\033[31m"\n  ]\n }\n}\n`;
    const host = begun(`
      *"cloud-init status"*) echo "status: error" | answer 0 ;;
      *"/run/cloud-init/result.json"*) printf '${result.replaceAll("'", `'\\''`)}' | sed -n '/"errors"/,/]/{/["]errors["]/d; /]/d; p}' | answer 0 ;;
      *"cloud-init.log"*) echo "2026-11-28 util.py[WARNING]: Running module locale failed" | answer 0 ;;`);
    const { code, output } = host.run("vm");
    expect(code).toBe(1);
    expect(output).toMatch(
      /error: node-1-vm: cloud-init in node-1 \(103\) ended in error:\n +"\('locale', Error\(1\)\)/,
    );
    expect(output).toContain("util.py[WARNING]: Running module locale failed");
    expect(output).not.toContain("\x1b");
    expect(output).toContain(`pulumi up --replace '${URN}'`);
  });

  it.each([
    ["of which the host has no record", new Host()],
    ["that was created after the one on record", new Host().record("prepared", 103, "0".repeat(16))],
  ])("sends no command to a machine %s", (_, host) => {
    const { code, qm } = host.run("vm");
    expect([code, qm]).toEqual([1, []]);
  });
});

describe("a command in a machine", () => {
  it("returns the guest's output byte for byte, and the host key's form is checked", () => {
    const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIILx9UeKnbcoEos4i2KFOzoAXSqN+WbsURRyqAG+LHud";
    const host = new Host(`*ssh_host_ed25519_key.pub*) echo "${key} root@nöde" | answer 0 ;;`).record("prepared", 103);
    expect(host.run("host-key")).toMatchObject({ code: 0, outcome: key });
  });

  it("counts no answer as a failure", () => {
    const host = new Host('*ssh_host_ed25519_key.pub*) echo "{\\"pid\\": 4711}" ;;').record("prepared", 103);
    host.hurry();
    const { code, output } = host.run("host-key");
    expect([code, output]).toEqual([
      1,
      expect.stringContaining("create it with qm guest exec 103 -- ssh-keygen -A on the Proxmox host"),
    ]);
  });
});

describe("the claim of a machine that is destroyed because its creation failed", () => {
  const claim = (host: Host, CREATION_FAILED: string) => {
    const { code, output } = host.script("claim", "update", {
      ...{ NETWORK: "keep", TEMPLATE: "", CREATION: CREATION_FAILED },
    });
    return [code, output];
  };
  const refused = [1, expect.stringContaining("is no longer the guest whose creation failed; it was not destroyed")];

  it("allows it while its creation is on record", () => {
    expect(claim(begun(), CREATION)[0]).toBe(0);
  });

  it("refuses it once another copy of the state has finished the machine, or created another one there", () => {
    expect(claim(begun().record("prepared", 103), CREATION)).toEqual(refused);
    expect(claim(new Host(), CREATION)).toEqual(refused);
    expect(claim(begun(), "0".repeat(16))).toEqual(refused);
  });
});

describe("the claim of a clone", () => {
  const claimed = (conf: string) => {
    const host = new Host();
    fs.rmSync(path.join(host.root, "etc/nodes/pve/qemu-server/103.conf"));
    host.conf(9000, conf, "qemu-server");
    return host;
  };
  const TEMPLATE = { TEMPLATE: "9000", CREATION };

  it("waits for a template that another task has locked", () => {
    const host = claimed("name: golden\nlock: backup\n");
    // Each check takes a moment; the task ends during the third.
    const conf = path.join(host.root, "etc/nodes/pve/qemu-server/9000.conf");
    const count = path.join(host.root, "looks");
    host.tool("sleep", `echo >>${count}; if [ "$(wc -l <${count})" -ge 3 ]; then sed -i /^lock/d ${conf}; fi`);
    expect(host.run("claim", TEMPLATE)).toMatchObject({ code: 0, outcome: "VMID 103 is free" });
    expect(fs.readFileSync(count, "utf8")).toBe("\n\n\n");
    expect(host.kept("creations/103")).toBe(`${CREATION}\n`);
  });

  it("gives up with its own message, and records no creation", () => {
    const host = claimed("name: golden\nlock: backup\n");
    host.hurry();
    const { code, output } = host.run("claim", TEMPLATE);
    expect([code, host.kept("creations/103")]).toEqual([1, ""]);
    expect(output).toContain("the template 9000 of node-1 stays locked (backup), so no machine was cloned from it");
    expect(output).toContain(
      "next:  wait until the running task in the Proxmox task log ends; if none runs: qm unlock 9000;",
    );
  });
});

describe("protection that somebody set on a machine", () => {
  it("stops its removal, with the commands for virtual machines", () => {
    const host = new Host().record("prepared", 103);
    host.conf(103, `${ours}protection: 1\n`, "qemu-server");
    const { code, output } = host.run("guard");
    expect([code, output]).toEqual([1, expect.stringContaining("it is protected (qm set 103 --protection 0)")]);
  });
});

describe("the file with which cloud-init installs the guest agent", () => {
  const FILE = "proxmox-k3s-0123456789abcdef.yaml";
  /** A host whose storage `local` allows these content types. */
  const storing = (content = "iso,snippets", more: object = {}) => {
    const host = new Host();
    const folder = path.join(host.root, "vz");
    const [config, status] = [
      { path: folder, ...more },
      { content, active: 1 },
    ].map((answer) => JSON.stringify(answer));
    host.tool(
      "pvesh",
      `case $2 in /storage/local) echo '${config}' ;; /nodes/pve/storage/local/status) echo '${status}' ;; *) exit 2 ;; esac`,
    );
    const run = (action: string, STORAGE = "local") =>
      host.script("snippet", action, { STORAGE, CLUSTER_ID: "0123456789abcdef" });
    return { host, folder, run };
  };

  it("is readable for others, written again by every update, and removed with the last guest that names it", () => {
    const { host, folder, run } = storing();
    expect(run("create")).toMatchObject({ code: 0, outcome: `local:snippets/${FILE} is there` });
    const file = path.join(folder, "snippets", FILE);
    expect([fs.readFileSync(file, "utf8").split("\n")[0], fs.statSync(file).mode & 0o777]).toEqual([
      "#cloud-config",
      0o644,
    ]);
    fs.writeFileSync(path.join(folder, "snippets/mine.yaml"), "theirs");
    fs.writeFileSync(file, "cut off");
    expect(run("update").code).toBe(0);
    expect(parse(fs.readFileSync(file, "utf8"))).toEqual({
      packages: ["qemu-guest-agent", "nftables"],
      runcmd: [["systemctl", "start", "qemu-guest-agent"]],
    });
    host.conf(107, `${ours}cicustom: vendor=local:snippets/${FILE}\n`, "qemu-server");
    expect(run("delete")).toMatchObject({
      code: 0,
      outcome: `local:snippets/${FILE} stays, because these guests name it: 107`,
    });
    expect(fs.existsSync(file)).toBe(true);
    host.conf(107, ours, "qemu-server");
    expect(run("delete").code).toBe(0);
    expect(fs.readdirSync(path.join(folder, "snippets"))).toEqual(["mine.yaml"]);
  });

  it("is in the storage's folder of snippets", () => {
    const { folder, run } = storing("snippets", { "content-dirs": "iso=a,snippets=cloud/b" });
    expect(run("create").code).toBe(0);
    expect(fs.readdirSync(path.join(folder, "cloud/b"))).toEqual([FILE]);
  });

  it("is not written into a folder that Proxmox VE would not read", () => {
    const { folder, run } = storing("iso,import");
    const { code, output } = run("create");
    expect([code, fs.existsSync(folder)]).toEqual([1, false]);
    expect(output).toContain("the storage local does not allow the content type snippets (content: iso,import)");
    expect(output).toContain("next:  pvesm set local --content iso,import,snippets; or install qemu-guest-agent");
    expect(run("create", "nas").output).toContain("Proxmox VE does not show the storage nas of pve");
    expect(run("delete", "nas").code).toBe(0);
  });
});

describe("a clone that was interrupted", () => {
  const bare = "# qmclone temporary file\nlock: clone\n";
  const half = ours.replace(/^name:.*\n/m, "name: node-1\nlock: clone\n").replace(/^scsi0:.*\n/m, "");

  it.each([
    ["before its first disk is copied", bare, "begun"],
    ["with a name and without its disks", half, "unfinished"],
    ["with all its disks, still locked", `${ours}lock: clone\n`, "unfinished"],
    ["before it is configured", ours.replace(/^(net0|ide2):.*\n/gm, ""), "unfinished"],
    ["before its first start", ours, "unfinished"],
  ])("is recognized by its record on the host: %s", (_, conf, state) => {
    const host = begun();
    host.hurry();
    host.conf(103, conf, "qemu-server");
    const [found] = parseGuests(host.run("guests").outcome).ours;
    expect(found).toMatchObject({
      vmId: 103,
      kind: "vm",
      ...(state === "begun" ? { begun: true } : { unfinished: true }),
    });
    const claim = host.run("claim", { CREATION: "0".repeat(16) });
    expect([claim.code, claim.output]).toEqual([1, expect.stringContaining("next:  npx proxmox-k3s recover")]);
    expect(claim.qm).toEqual([]);
  });

  it("is a foreign guest if the host has no record, and is not listed", () => {
    const host = new Host();
    host.hurry();
    host.conf(103, bare, "qemu-server");
    expect(host.run("guests")).toMatchObject({ code: 0, outcome: "" });
    expect(host.run("claim").output).toContain("which is not ours; it was not touched");
  });

  it("is not destroyed before its description says whose it is", () => {
    const host = begun();
    host.conf(103, bare, "qemu-server");
    const { code, qm } = host.run("discard", { CREATION });
    expect([code, qm]).toEqual([1, []]);
  });

  it.each(["clone", "create"])("is unlocked and destroyed (lock: %s)", (lock) => {
    const host = begun('*"test -e"*) : | answer 1 ;;');
    host.conf(103, `${ours}lock: ${lock}\n`, "qemu-server");
    const { code, qm } = host.run("discard", { CREATION });
    expect([code, qm.filter((call) => /^(unlock|stop|destroy)/.test(call))]).toEqual([
      0,
      ["unlock 103", "stop 103", "destroy 103"],
    ]);
  });

  it("is waited for while a worker of Proxmox VE creates it", () => {
    const host = begun();
    host.conf(103, `${ours}lock: clone\n`, "qemu-server");
    fs.writeFileSync(path.join(host.root, "vm-lock/lock-103.conf"), "");
    const { code, output, qm } = host.run("discard", { CREATION });
    expect([code, qm.filter((call) => call.startsWith("destroy"))]).toEqual([1, []]);
    expect(output).toContain("is still being created after 0 s");
  });
});
