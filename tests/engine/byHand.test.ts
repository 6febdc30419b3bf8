import * as fs from "node:fs";
import * as path from "node:path";
import { Homelab, type HomelabSnapshot } from "../support/homelab";
import type { PulumiResult } from "../support/pulumiResult";
import { homelabAtRest } from "../support/homelabAtRest";
import { succeeded } from "../support/succeeded";

/*
 * Settings that people make on a guest by hand, as with `pct set` on the host. They stay: no refresh rebuilds or reboots a node
 * because of them or removes them. A conflict with the config is named. What would block the guest's removal is named before its
 * node leaves.
 */

jest.setTimeout(600_000);

let cluster: HomelabSnapshot;
let lab: Homelab;

beforeAll(async () => {
  cluster = await homelabAtRest();
});
beforeEach(async () => {
  lab = await Homelab.start(cluster);
});
afterEach(() => lab?.dispose());
afterAll(() => fs.rmSync(cluster.folder, { recursive: true }));

function unchanged(run: PulumiResult): void {
  succeeded(run);
  expect(run.changes).toEqual({});
}

const text = (vmid: number): string => fs.readFileSync(lab.host.confFile(vmid), "utf8");
const lines = (vmid: number): string[] => text(vmid).split("\n").filter(Boolean);
/** Edits a guest's configuration file. */
const edit = (vmid: number, change: (file: string) => string): void => {
  const [before, after] = [text(vmid), change(text(vmid))];
  expect(after).not.toBe(before);
  fs.writeFileSync(lab.host.confFile(vmid), after);
};
const set = (vmid: number, ...options: readonly string[]): void =>
  edit(vmid, (file) => file.replace(/^(lxc\.)/m, `${options.join("\n")}\n$1`));
/** What happened to guests: starts, stops, removals. */
const machines = (): string[] => lab.journal.whats("machine");
const leaves = (): string[] => lab.journal.whats("script").filter((what) => what.includes("-leave"));

describe("an option that the config has no key for", () => {
  /** Options set by hand, by the name of the line in the configuration that must stay. */
  const OPTIONS = [
    "mp0: local-lvm:vm-102-disk-1,mp=/data,backup=1,size=8G",
    "mp1: /srv/media,mp=/media,ro=1",
    "dev0: /dev/fuse,mode=0660",
    "hookscript: local:snippets/notify.sh",
    "protection: 1",
    "cpulimit: 2.5",
    "cpuunits: 200",
    "tty: 4",
    "startup: order=3,up=20",
  ];

  beforeEach(() => {
    set(102, ...OPTIONS);
    edit(
      102,
      (file) => `#a note, ask Anna first\n${file}\n[before]\n#a snapshot\nhostname: k3s-worker-01\nmemory: 512\n`,
    );
    edit(102, (file) => file.replace(/^tags: (.*)$/m, "tags: $1;nas"));
    edit(102, (file) => file.replace(/^(net0: .*)$/m, "$1,firewall=1,rate=5,mtu=1400"));
    edit(102, (file) => file.replace(/^(rootfs: .*)$/m, "$1,mountoptions=noatime"));
    lab.journal.clear();
  });

  const theirs = (options: readonly string[]): void => {
    expect(lines(102)).toEqual(expect.arrayContaining([...options, "#a note, ask Anna first", "#a snapshot"]));
    expect(text(102)).toMatch(/^tags: k3s-homelab;nas$/m);
    expect(text(102)).toMatch(/^net0: .*firewall=1/m);
    expect(text(102)).toMatch(/^net0: .*rate=5/m);
    expect(text(102)).toMatch(/^net0: .*mtu=1400/m);
    expect(text(102)).toMatch(/^rootfs: .*mountoptions=noatime/m);
  };

  it("is no change, neither in a refresh nor after it, and stays", async () => {
    const before = text(102);
    unchanged(await lab.up("--refresh"));
    unchanged(await lab.up());
    expect([machines(), text(102)]).toEqual([[], before]);
    const { code, changes } = await lab.preview("--refresh", "--expect-no-changes");
    expect([code, changes]).toEqual([0, {}]);
  });

  it("stays if another setting changes, for which the guests reboot one after another", async () => {
    // Proxmox VE does not change the disk of a protected guest.
    edit(102, (file) => file.replace("protection: 1\n", ""));
    unchanged(await lab.up("--refresh"));
    lab.edit(({ pools }) => Object.assign(pools.worker, { memory: "9GB", cores: 6, disk: "60GB" }));
    lab.journal.clear();
    const run = await lab.up();
    succeeded(run);
    // A larger disk needs space, so the preflight checks the host again.
    const updated = ["homelab-preflight", "k3s-worker-01", "k3s-worker-02"].map((name) => [name, ["update"]]);
    expect(run.changes).toEqual(Object.fromEntries(updated));
    expect(lab.journal.whats().filter((what) => /-back look$/.test(what))).toHaveLength(2);
    theirs(OPTIONS.filter((option) => option !== "protection: 1"));
    expect(text(102)).toMatch(/^memory: 9216$/m);
    expect(text(102)).toMatch(/^cores: 6$/m);
    expect(text(102)).toMatch(/^rootfs: .*size=(?:60G|64424509440)\b/m);
    unchanged(await lab.up("--refresh"));
  });
});

describe("network interfaces that somebody added", () => {
  const further = (vmid: number): string =>
    `net1: name=eth1,bridge=vmbr0,hwaddr=BC:24:11:00:09:0${vmid - 100},ip=198.18.9.${vmid}/24,type=veth`;

  beforeEach(() => {
    for (const vmid of [102, 103]) set(vmid, further(vmid));
    lab.journal.clear();
  });

  it("are no change, neither in a refresh nor after it, and stay", async () => {
    const before = [102, 103].map(text);
    const found = await lab.up("--refresh", "--continue-on-error");
    expect([found.code, [...found.failed].sort()]).toEqual([1, ["k3s-worker-01", "k3s-worker-02"]]);
    expect(found.errors.join("\n")).toContain("pulumi up without --refresh, which keeps them");
    const preview = await lab.preview("--expect-no-changes");
    expect([preview.code, preview.changes]).toEqual([0, {}]);
    unchanged(await lab.up());
    expect([machines(), [102, 103].map(text)]).toEqual([[], before]);
  });

  it.each([["after a refresh"], ["that no refresh has seen"]])("stay if the memory changes (%s)", async (when) => {
    lab.edit(({ pools }) => (pools.worker.memory = "9GB"));
    if (when === "after a refresh") expect((await lab.pulumi("refresh", "--yes", "--skip-preview")).code).toBe(0);
    succeeded(await lab.up());
    for (const vmid of [102, 103]) expect(lines(vmid)).toEqual(expect.arrayContaining([further(vmid), "memory: 9216"]));
  });

  it("are not removed by a change of the node's own interface: it is refused, and the error names the commands", async () => {
    lab.edit(({ network }) => (network.bridge = "vmbr1"));
    const run = await lab.up("--continue-on-error");
    expect([run.code, [...run.failed].sort()]).toEqual([1, ["k3s-worker-01", "k3s-worker-02"]]);
    expect(run.errors.join("\n")).toContain(
      "this change of the network of guest 102 (k3s-worker-01) would remove net1, which somebody added; it was not changed",
    );
    for (const vmid of [102, 103]) expect(lines(vmid)).toContain(further(vmid));
  });
});

describe("the disk", () => {
  it("that somebody moved to another storage causes no rebuild", async () => {
    edit(102, (file) => file.replace(/^rootfs: local-lvm:/m, "rootfs: fast:"));
    lab.journal.clear();
    unchanged(await lab.up("--refresh"));
    expect([machines(), leaves()]).toEqual([[], []]);
  });

  it("of an existing node stays if the config names another storage, even one that does not exist", async () => {
    lab.edit(({ proxmox }) => (proxmox.storage = "local-lmv"));
    lab.journal.clear();
    const run = await lab.up();
    expect([machines(), leaves()]).toEqual([[], []]);
    expect(Object.keys(run.changes).filter((name) => !name.startsWith("homelab-"))).toEqual([]);
  });

  it("that somebody enlarged is named with both sizes in the preview and in up, until the config has the larger one", async () => {
    edit(103, (file) => file.replace(/^(rootfs: .*)size=50G/m, "$1size=80G"));
    lab.journal.clear();
    for (const run of [await lab.preview("--refresh"), await lab.up("--refresh")]) {
      expect(run.code).toBe(1);
      // This run's refresh has seen it, or the record of an earlier run has it.
      expect(run.errors.join("\n")).toMatch(/k3s-worker-02.* 80GB.* 50GB[^]*set (disk: )?80GB/);
    }
    lab.edit(({ pools }) => (pools.worker.disk = "80GB"));
    succeeded(await lab.up());
    expect([102, 103].map((vmid) => /^rootfs: .*size=(\d+G)/m.exec(text(vmid))?.[1])).toEqual(["80G", "80G"]);
    unchanged(await lab.up("--refresh"));
    expect(machines()).toEqual([]);
  });
});

describe("what blocks a guest's removal", () => {
  beforeEach(() => lab.edit(({ pools }) => (pools.worker.count = 1)));

  /** Expects that the removal stopped for this reason before it did anything. */
  function kept(run: PulumiResult, reason: string): void {
    expect([run.code, run.failed]).toEqual([1, ["k3s-worker-02-leave"]]);
    expect(run.errors.join("\n")).toContain(`k3s-worker-02 was not drained:\n  - ${reason}`);
    expect(lab.host.members.has("k3s-worker-02")).toBe(true);
    expect([...lab.host.clusters.all.values()][0]?.nodes.get("k3s-worker-02")?.unschedulable).toBe(false);
    expect(lab.machines.isRunning(103)).toBe(true);
  }

  it("protection and high availability: named before the node leaves; it is removed when they are off", async () => {
    set(103, "protection: 1");
    lab.host.put("etc/pve/ha/resources.cfg", "ct: 103\n\tstate started\n");
    kept(await lab.up(), "it is protected (pct set 103 --protection 0)");
    edit(103, (file) => file.replace("protection: 1\n", ""));
    kept(await lab.up(), "it is in the high availability of Proxmox VE (ha-manager remove ct:103)");
    lab.host.put("etc/pve/ha/resources.cfg", "");
    succeeded(await lab.up());
    expect([...lab.machines.guests.keys()]).not.toContain(103);
  });

  it("a migration to another Proxmox VE node", async () => {
    lab.host.put("etc/pve/nodes/pve2/lxc/103.conf", text(103));
    fs.rmSync(lab.host.confFile(103));
    const run = await lab.up();
    expect([run.code, run.failed]).toEqual([1, ["k3s-worker-02-leave"]]);
    expect(run.errors.join("\n")).toContain("  - it is on the Proxmox node pve2, to which somebody migrated it");
    expect(lab.host.members.has("k3s-worker-02")).toBe(true);
  });
});

describe("data that only the node has", () => {
  beforeEach(() => {
    const cluster = [...lab.host.clusters.all.values()][0]!;
    const required = {
      nodeSelectorTerms: [
        { matchExpressions: [{ key: "kubernetes.io/hostname", operator: "In", values: ["k3s-worker-02"] }] },
      ],
    };
    const claimRef = { namespace: "shop", name: "data-db-0" };
    const spec = { capacity: { storage: "8Gi" }, claimRef, nodeAffinity: { required } };
    cluster.objects.set("persistentvolumes", [{ metadata: { name: "pvc-1" }, spec }]);
    const volumes = [{ persistentVolumeClaim: { claimName: "data-db-0" } }];
    cluster.objects.set("pods", [{ metadata: { namespace: "shop", name: "db-0" }, spec: { volumes } }]);
    lab.journal.clear();
  });
  const stopped = (run: PulumiResult): void => {
    expect([run.code, run.failed, machines()]).toEqual([1, ["k3s-worker-02-leave"], []]);
    expect(run.errors.join("\n")).toContain(
      "k3s-worker-02 was not drained, because this data is on no other node and would be destroyed with its machine:\n  - claim shop/data-db-0 (8Gi, volume pvc-1), used by shop/db-0",
    );
    expect(lab.host.members.has("k3s-worker-02")).toBe(true);
  };

  it("stops a removal until the config allows its loss", async () => {
    lab.edit(({ pools }) => (pools.worker.count = 1));
    stopped(await lab.up());
    lab.edit((cluster) => (cluster.removal = { onLocalData: "delete" }));
    succeeded(await lab.up());
    expect([...lab.machines.guests.keys()].sort()).toEqual([100, 102]);
  });

  it("stops a rebuild, but not a destroy", async () => {
    stopped(await lab.up("--replace", "**ContainerLegacy::k3s-worker-02"));
    succeeded(await lab.destroy());
  });
});

describe("a guest that somebody migrated", () => {
  it("is named and left alone, even after a refresh has removed it from the state", async () => {
    const elsewhere = path.join(path.dirname(lab.host.confFile(103)), "../nodes/pve2/lxc/103.conf");
    const conf = text(103);
    lab.host.put("etc/pve/nodes/pve2/lxc/103.conf", conf);
    fs.rmSync(lab.host.confFile(103));
    const run = await lab.up("--refresh");
    expect([run.code, run.failed]).toEqual([1, ["k3s-worker-02"]]);
    expect(run.errors.join("\n")).toContain(
      "guest 103 (k3s-worker-02) is on the Proxmox node pve2, to which somebody migrated it; the config has it on pve",
    );
    expect(run.errors.join("\n")).toContain(
      "bring it back: pct migrate 103 pve --restart on pve2; then npx proxmox-k3s recover",
    );
    expect(fs.readFileSync(elsewhere, "utf8")).toBe(conf);
    expect(lab.host.members.has("k3s-worker-02")).toBe(true);

    const away = await lab.command("recover", "--stack", "homelab", "--yes");
    expect([away.code, away.stdout]).toEqual([
      1,
      expect.stringContaining("next:  pct migrate 103 pve --restart on pve2,"),
    ]);
    fs.renameSync(elsewhere, lab.host.confFile(103));
    const back = await lab.command("recover", "--stack", "homelab", "--yes");
    expect([back.code, back.stderr]).toEqual([0, ""]);
    expect(back.stdout).toContain("- take guest 103 (k3s-worker-02) into the state again");
    expect(back.stdout).toMatch(/next: {2}pulumi up --refresh/);
    lab.journal.clear();
    succeeded(await lab.up("--refresh"));
    unchanged(await lab.up());
    expect([machines(), leaves(), text(103)]).toEqual([[], [], conf]);
    succeeded(await lab.destroy());
    expect([...lab.machines.guests.keys()]).toEqual([]);
  });
});
