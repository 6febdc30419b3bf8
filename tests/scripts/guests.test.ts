import { spawn, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";

import { LXC_FEATURES, LXC_RAW_LINES } from "../../plan/lxcProfile";
import { CREATION, MARK, ScriptedHost } from "../support/scriptedHost";

/*
 * What claim, guard and lxc decide and write, on configuration files in a scratch folder. `pct` is a double that records its calls;
 * the lab shows that the guests do what the commands say.
 */

class Host extends ScriptedHost {
  constructor() {
    super(`case "$*" in status*) echo "status: running" ;; *" ip -4 "*) echo "2: eth0    inet 198.18.0.20/24" ;; esac`);
  }

  run(task: "claim" | "guard" | "lxc", action: string, env: Readonly<Record<string, string>> = {}) {
    return this.script(task, action, {
      ADDRESS: "198.18.0.20",
      CREATION: "",
      NETWORK: "keep",
      TEMPLATE: "",
      URN: "urn:pulumi:homelab::proxmox-k3s::a$b::node-1",
      AUTHORIZED_KEYS: "ssh-ed25519 AAAA",
      ...env,
    });
  }
}

const ours = `#creation ${CREATION} of ${MARK}\narch: amd64\nhostname: node-1\nmemory: 4096\nrootfs: local-lvm:vm-103-disk-0,size=32G\n`;
const foreign = "#my mail server\narch: amd64\nhostname: mail\nrootfs: local-lvm:vm-103-disk-0,size=8G\n";

describe("claim", () => {
  it("accepts a free VMID", () => {
    expect(new Host().run("claim", "create")).toMatchObject({ code: 0, outcome: "VMID 103 is free" });
  });

  it.each(["lxc", "qemu-server"] as const)("refuses a foreign guest (%s), names it and does not touch it", (kind) => {
    const host = new Host();
    host.conf(103, foreign, kind);
    const run = host.run("claim", "create");
    expect(run.code).toBe(1);
    expect(run.output).toContain('error: node-1-claim: VMID 103, wanted for node-1, belongs to the guest "mail"');
    expect(host.conf(103, undefined, kind)).toBe(foreign);
    expect(run.pct).toEqual([]);
  });

  it("refuses a guest of another cluster, or of a cluster of the same name in another state", () => {
    const host = new Host();
    host.conf(103, ours.replace("0123456789abcdef", "fedcba9876543210"));
    const run = host.run("claim", "create");
    expect(run.code).toBe(1);
    expect(run.output).toContain(
      "which is a node of this cluster in another Pulumi state (proxmox-k3s project/stack/homelab fedcba9876543210); it was not touched\nnext:  use the state that has these guests: pulumi login",
    );
    expect(run.output).not.toContain("give the node another VMID");
    host.conf(103, ours.replace(MARK, "proxmox-k3s project/stack/edge fedcba9876543210"));
    expect(host.run("claim", "create").output).toContain(
      "which is not ours; it was not touched\nnext:  give the node another VMID",
    );
  });

  it("recognizes its own guest after a rename, and names the command that writes the new mark", () => {
    const host = new Host();
    host.conf(103, ours.replace(MARK, "proxmox-k3s project/former/homelab 0123456789abcdef"));
    const run = host.run("claim", "update");
    expect(run.code).toBe(1);
    expect(run.output).toContain(
      "which has this cluster's id under another name (proxmox-k3s project/former/homelab 0123456789abcdef)",
    );
    const [, command] = /: (sed -i '[^']+' )/.exec(run.output) ?? [];
    spawnSync("sh", ["-c", `${command} ${host.root}/etc/nodes/*/lxc/*.conf`]);
    expect(host.conf(103)).toBe(ours);
  });

  it("ignores our mark in a snapshot", () => {
    const host = new Host();
    host.conf(103, `${foreign}\n[before]\n#${MARK}\nhostname: mail\n`);
    expect(host.run("claim", "create")).toMatchObject({ code: 1 });
  });

  it.each(["create", "update"])("says where a guest was migrated to, and how to migrate it back (%s)", (action) => {
    const host = new Host();
    const pve2 = path.join(host.root, "etc/nodes/pve2/lxc");
    fs.mkdirSync(pve2, { recursive: true });
    fs.writeFileSync(path.join(pve2, "103.conf"), ours);
    const run = host.run("claim", action, { CREATION });
    expect(run.code).toBe(1);
    expect(run.output).toContain(
      "error: node-1-claim: guest 103 (node-1) is on the Proxmox node pve2, to which somebody migrated it; the config has it on pve. It was not touched\n" +
        `next:  bring it back: pct migrate 103 pve --restart on pve2; then ${action === "create" ? "npx proxmox-k3s recover, which takes it into the state again" : "pulumi up"}\n`,
    );
    expect([run.pct, host.kept("creations/103")]).toEqual([[], ""]);
  });

  describe("if somebody added network interfaces", () => {
    const further = "net1: name=eth1,bridge=vmbr0,hwaddr=BC:24:11:00:00:09,ip=198.18.9.3/24,type=veth\n";
    const host = new Host();
    host.conf(103, `${ours}net0: name=eth0,bridge=vmbr0\n${further}\n[before]\nnet2: name=eth2,bridge=vmbr0\n`);

    it("allows any other change", () => {
      expect(host.run("claim", "update")).toMatchObject({ code: 0, outcome: "VMID 103 is ours" });
    });

    it("refuses a change of the node's own interface, with the commands that remove the others and add them again", () => {
      const run = host.run("claim", "update", { NETWORK: "change" });
      expect(run.code).toBe(1);
      expect(run.output).toContain(
        "error: node-1-claim: this change of the network of guest 103 (node-1) would remove net1, which somebody added; it was not changed\n" +
          "next:  pct set 103 --delete net1 on the Proxmox host, then pulumi up --refresh, then put back what was there: pct set 103 --net1 name=eth1,bridge=vmbr0,hwaddr=BC:24:11:00:00:09,ip=198.18.9.3/24,type=veth\n",
      );
    });
  });

  it("names the command that removes a guest of ours that is not in the state", () => {
    const host = new Host();
    host.conf(103, ours);
    const run = host.run("claim", "create");
    expect(run.code).toBe(1);
    expect(run.output).toMatch(/^next: +npx proxmox-k3s recover /m);
  });

  it("records the id of a creation that is about to begin, until the guest is prepared", () => {
    const host = new Host();
    const record = path.join(host.root, "state/creations/103");
    expect(host.run("claim", "create", { CREATION })).toMatchObject({ code: 0 });
    expect(fs.readFileSync(record, "utf8")).toBe(`${CREATION}\n`);
    host.conf(103, ours);
    expect(host.run("lxc", "create")).toMatchObject({ code: 0 });
    expect(fs.existsSync(record)).toBe(false);
    expect(host.kept("prepared/103")).toBe(`${CREATION}\n`);
  });

  it("records nothing if the VMID is in use", () => {
    const host = new Host();
    host.conf(103, foreign);
    host.run("claim", "create", { CREATION });
    expect(fs.existsSync(path.join(host.root, "state/creations/103"))).toBe(false);
  });

  it("waits until a guest whose creation has just begun has its description", () => {
    const host = new Host();
    host.conf(103, "lock: create\n");
    const file = path.join(host.root, "etc/nodes/pve/lxc/103.conf");
    spawn("sh", ["-c", `sleep 0.7; printf '%s' "$1" >"$2"`, "sh", `${ours}lock: create\n`, file], { stdio: "ignore" });
    expect(host.run("claim", "create").output).toContain("VMID 103 has our mark, but is not in this stack's state");
  });

  it("refuses the VMID of another node of the cluster, and does not propose to destroy it", () => {
    const host = new Host();
    host.conf(103, ours.replace("node-1", "node-2"));
    for (const action of ["create", "update"]) {
      const run = host.run("claim", action);
      expect(run.code).toBe(1);
      expect(run.output).toContain("VMID 103, wanted for node-1, is this cluster's node node-2; it was not touched");
      expect(run.output).not.toContain("destroy");
    }
  });

  it("finds its own guest in order when it runs again", () => {
    const host = new Host();
    host.conf(103, ours);
    expect(host.run("claim", "update")).toMatchObject({ code: 0, outcome: "VMID 103 is ours" });
  });
});

describe("the guard", () => {
  it("accepts a guest of ours, and a missing one", () => {
    const host = new Host();
    const gone = host.run("guard", "delete");
    expect(gone).toMatchObject({ code: 0, outcome: "guest 103 is already gone" });
    expect(gone.output).toContain("next:  run the same command again with --refresh");
    host.conf(103, ours);
    expect(host.run("guard", "delete")).toMatchObject({ code: 0, outcome: "guest 103 is ours" });
  });

  it("refuses a guest that took our VMID", () => {
    const host = new Host();
    host.conf(103, foreign);
    const run = host.run("guard", "delete");
    expect(run.code).toBe(1);
    expect(run.output).toContain('error: node-1-guard: VMID 103, wanted for node-1, belongs to the guest "mail"');
    expect(run.output).toContain(
      "pulumi state delete --yes --target-dependents 'urn:pulumi:homelab::proxmox-k3s::a$b::node-1' || " +
        "pulumi state delete --yes --target-dependents 'urn:pulumi:homelab::proxmox-k3s::a$command:remote:Command::node-1-guard', then",
    );
    expect(run.pct).toEqual([]);
  });
});

describe("lxc", () => {
  /** A host on which the claim has recorded the creation. */
  const begun = (): Host => new Host().record("creations", 103);
  const recipe = `features: ${LXC_FEATURES}\n${LXC_RAW_LINES.join("\n")}\n`;

  it("writes the options into the main section and restarts", () => {
    const host = begun();
    host.conf(103, ours);
    const run = host.run("lxc", "create");
    expect(run.pct.filter((line) => /^(start|stop|shutdown)/.test(line))).toEqual(["stop 103", "start 103"]);
    expect(host.conf(103)).toBe(`${ours}${recipe}`);
  });

  it("writes before pending changes and snapshots, and keeps other options", () => {
    const host = begun();
    const tail = "[pve:pending]\nmemory: 8192\n\n[before]\nfeatures: nesting=1\nhostname: node-1\n";
    host.conf(103, `${ours}lxc.sysctl.net.ipv4.ip_forward: 1\n\n${tail}`);
    host.run("lxc", "create");
    expect(host.conf(103)).toBe(`${ours}lxc.sysctl.net.ipv4.ip_forward: 1\n${recipe}\n${tail}`);
  });

  it("keeps the features that somebody added", () => {
    const host = begun();
    host.conf(103, `${ours}features: nesting=0,mknod=1,mount=nfs;cifs\n`);
    host.run("lxc", "create");
    expect(host.conf(103)).toBe(`${ours}${recipe.replace(LXC_FEATURES, `${LXC_FEATURES},mknod=1,mount=nfs;cifs`)}`);
    expect(host.run("lxc", "update")).toMatchObject({ code: 0, outcome: "container 103: configuration kept" });
  });

  it("neither writes nor restarts a second time, even after Proxmox VE has rewritten the file", () => {
    const host = begun();
    host.conf(103, ours);
    host.run("lxc", "create");
    // Proxmox VE sorts the options, puts raw lines last, and adds a blank after the colon of an empty value.
    const rewritten = `#creation ${CREATION} of ${MARK}\narch: amd64\nfeatures: ${LXC_FEATURES}\nhostname: node-1\nmemory: 4096\nrootfs: local-lvm:vm-103-disk-0,size=32G\n${LXC_RAW_LINES.join("\n").replace("lxc.cap.drop:", "lxc.cap.drop: ")}\n`;
    host.conf(103, rewritten);
    const run = host.run("lxc", "update");
    expect(run).toMatchObject({ code: 0, outcome: "container 103: configuration kept" });
    expect(run.pct.filter((line) => /^(start|stop|shutdown)/.test(line))).toEqual([]);
    expect(host.conf(103)).toBe(rewritten);
  });

  it("restarts a guest if the last run was interrupted after the write", () => {
    const host = begun();
    host.conf(103, `${ours}${recipe}`);
    expect(host.run("lxc", "update").pct).toEqual(
      expect.arrayContaining(["shutdown 103 --forceStop 1 --timeout 120", "start 103"]),
    );
  });

  it.each([0, 255])(
    "hides the warning that LXC prints at each start, and nothing else, if the start ends with %i",
    (end) => {
      const host = begun();
      host.conf(103, ours);
      const said = "explicitly configured lxc.apparmor.profile overrides the following settings: features:fuse";
      host.pct(`case "$*" in status*) echo "status: running" ;; *" ip -4 "*) echo "2: eth0    inet 198.18.0.20/24" ;;
      start*) printf '%s\\n' "${said}" "WARN: old systemd" >&2; exit ${end} ;; esac`);
      const { code, output } = host.run("lxc", "create");
      expect([code, output.split("\n").filter((line) => /AppArmor|apparmor|WARN/.test(line))]).toEqual([
        end,
        ["WARN: old systemd"],
      ]);
    },
  );

  it("reports at once that the guest stopped right after its start", () => {
    const host = begun();
    host.conf(103, ours);
    host.pct('case $1 in status) echo "status: stopped" ;; exec) exit 255 ;; esac');
    const { code, output } = host.run("lxc", "create");
    expect([code, output]).toEqual([
      1,
      expect.stringMatching(
        /error: node-1-lxc: node-1 \(103\) stopped by itself while it was set up\nnext: {2}find the cause with pct start 103 /,
      ),
    ]);
  });

  it("reports that the guest stopped, even if the host still shows it as running", () => {
    const host = begun();
    host.conf(103, ours);
    const dying = path.join(host.root, "dying");
    host.pct(`
case "$*" in
  status*) if [ "$(cat "${dying}" 2>/dev/null | wc -l)" -lt 3 ]; then echo "status: running"; else echo "status: stopped"; fi
    [ ! -e "${dying}" ] || echo looked >>"${dying}" ;;
  *"ip -4"*) echo "2: eth0 inet 198.18.0.20/24 brd" ;;
  *guest-ssh.sh*) echo dies >"${dying}"; echo "Failed to connect to bus: No such file or directory" >&2; exit 1 ;;
esac`);
    const { code, output } = host.run("lxc", "create");
    expect([code, output]).toEqual([1, expect.stringContaining("node-1 (103) stopped by itself while it was set up")]);
  });

  it("refuses a foreign guest before it writes anything", () => {
    const host = new Host();
    host.conf(103, foreign);
    expect(host.run("lxc", "create")).toMatchObject({ code: 1, pct: [] });
    expect(host.conf(103)).toBe(foreign);
  });

  it.each([
    ["of which the host has no record", new Host()],
    ["that was created after the one on record", new Host().record("prepared", 103, "0".repeat(16))],
    ["whose record has more than its creation", new Host().record("prepared", 103, `${CREATION}\n${CREATION}`)],
  ])("refuses a guest %s, whatever its description says", (_, host) => {
    host.conf(103, ours);
    const run = host.run("lxc", "create");
    expect([run.code, run.pct, host.conf(103)]).toEqual([1, [], ours]);
    expect(run.output).toContain(
      "has this cluster's mark, but this Proxmox host has no record that the program created it",
    );
  });

  it("refuses another node's guest", () => {
    const host = begun();
    host.conf(103, ours.replace("node-1", "node-2"));
    expect(host.run("lxc", "create")).toMatchObject({ code: 1, pct: [] });
  });
});
