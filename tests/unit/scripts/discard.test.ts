import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

import { parseGuests } from "../../../cli/host";

/*
 * Which guests `guests` tells of and `discard` destroys, on configuration files in a scratch folder. `pct` is a recorder
 * here that finds no K3s in a guest; that guests really go is shown in the lab.
 */

const scripts = path.join(__dirname, "../../../scripts");
const MARK = "proxmox-k3s project/stack/homelab 0123456789abcdef";
const CREATION = "5f3a9c1e0b7d4421";
const ours = `#creation ${CREATION} of ${MARK}\narch: amd64\nhostname: node-1\nrootfs: local-lvm:vm-103-disk-0,size=32G\n`;
const locked = `${ours}lock: create\n`;
const prepared = `${ours}lxc.apparmor.profile: unconfined\n`;
const foreign = "#my mail server\narch: amd64\nhostname: mail\nrootfs: local-lvm:vm-103-disk-0,size=8G\n";

const scratch = fs.mkdtempSync(path.join(os.tmpdir(), "hosts-"));
afterAll(() => fs.rmSync(scratch, { recursive: true }));

class Host {
  readonly root = fs.mkdtempSync(path.join(scratch, "host-"));
  private readonly lxc = path.join(this.root, "etc/nodes/pve/lxc");

  /** @param hasK3s what `pct exec … test -e /etc/rancher/k3s/config.yaml` answers */
  constructor(hasK3s = false) {
    for (const dir of ["bin", "work", "lock", "etc/nodes/pve/lxc", "etc/nodes/pve/qemu-server"])
      fs.mkdirSync(path.join(this.root, dir), { recursive: true });
    fs.symlinkSync("nodes/pve/lxc", path.join(this.root, "etc/lxc"));
    const pct = `#!/bin/sh\nif [ "$1" = exec ]; then exit ${hasK3s ? 0 : 1}; fi\necho "$*" >>"${this.root}/pct"\n`;
    fs.writeFileSync(path.join(this.root, "bin/pct"), pct, { mode: 0o755 });
  }

  conf(vmid: number, text: string): this {
    fs.writeFileSync(path.join(this.lxc, `${vmid}.conf`), text);
    return this;
  }

  /** What a claim has noted before the creation. */
  record(vmid: number, creation = CREATION): this {
    fs.mkdirSync(path.join(this.root, "state/creations"), { recursive: true });
    fs.writeFileSync(path.join(this.root, `state/creations/${vmid}`), `${creation}\n`);
    return this;
  }

  /** The file that a worker of Proxmox VE holds while it makes a guest. */
  get workerLock(): string {
    return path.join(this.root, "lock/pve-config-103.lock");
  }

  run(task: "guests" | "discard", wait = 0) {
    fs.rmSync(path.join(this.root, "pct"), { force: true });
    const parts = ["lib", "guest", task].map((part) => fs.readFileSync(path.join(scripts, `${part}.sh`), "utf8"));
    const text = parts
      .join("\n")
      .replaceAll("/etc/pve", `${this.root}/etc`)
      .replaceAll("/run/lock/lxc", `${this.root}/lock`)
      .replaceAll("/var/lib/proxmox-k3s", `${this.root}/state`);
    const { status, stdout } = spawnSync("sh", ["-c", text], {
      encoding: "utf8",
      env: {
        PATH: `${this.root}/bin:${process.env["PATH"]}`,
        ...{ WORK: `${this.root}/work`, RUNNER: String(process.pid), STEP: `node-1-${task}`, MARK },
        ...{ VMID: "103", NAME: "node-1", CREATION, WAIT: String(wait) },
      },
    });
    const read = (file: string) =>
      fs.existsSync(path.join(this.root, file)) ? fs.readFileSync(path.join(this.root, file), "utf8").trim() : "";
    return { code: status, output: stdout, outcome: read("work/outcome"), pct: read("pct") };
  }
}

describe("guests", () => {
  it("tells of each guest with our mark what it is, and of no other", () => {
    const host = new Host()
      .conf(103, locked)
      .record(103)
      .conf(104, prepared)
      .record(104)
      .conf(105, foreign)
      .conf(106, `${foreign}[a]\n${ours}`)
      .conf(107, ours)
      .conf(108, ours)
      .record(108, "0".repeat(16));
    const { code, outcome } = host.run("guests");
    expect([code, parseGuests(outcome)]).toEqual([
      0,
      [
        {
          vmId: 103,
          pveNode: "pve",
          kind: "lxc",
          lock: "create",
          creation: CREATION,
          unfinished: true,
          name: "node-1",
        },
        { vmId: 104, pveNode: "pve", kind: "lxc", lock: "", creation: CREATION, unfinished: false, name: "node-1" },
        { vmId: 107, pveNode: "pve", kind: "lxc", lock: "", creation: CREATION, unfinished: false, name: "node-1" },
        { vmId: 108, pveNode: "pve", kind: "lxc", lock: "", creation: CREATION, unfinished: false, name: "node-1" },
      ],
    ]);
  });

  it("answers nothing on a host without any", () => {
    const { code, outcome } = new Host().run("guests");
    expect([code, parseGuests(outcome)]).toEqual([0, []]);
  });
});

describe("discard", () => {
  it("destroys a container of ours that nothing but its creation was done to", () => {
    const host = new Host().conf(103, ours).record(103);
    expect(host.run("discard")).toMatchObject({ code: 0, pct: "destroy 103 --force 1" });
    expect(fs.readdirSync(path.join(host.root, "state/creations"))).toEqual([]);
  });

  it("refuses one whose creation is not on record: a backup that was put back, say", () => {
    const run = new Host().conf(103, ours).run("discard");
    expect([run.code, run.pct]).toEqual([1, ""]);
    expect(run.output).toContain("no creation of guest 103 (node-1) was begun here and left unfinished");
  });

  it("is done when the guest is gone", () => {
    expect(new Host().run("discard")).toMatchObject({ code: 0, outcome: "guest 103 is already gone", pct: "" });
  });

  it.each([
    ["a stranger's guest", foreign, "which is not ours; it was not touched"],
    ["a guest that has our mark in a snapshot only", `${foreign}[a]\n${ours}`, "which is not ours; it was not touched"],
    ["a node's machine", prepared, "has been a node's machine; it was not touched"],
    ["a guest made anew meanwhile", ours.replace(CREATION, "0".repeat(16)), "was made anew; it was not touched"],
    ["a guest of another name", ours.replace("node-1", "node-2"), "was made anew; it was not touched"],
  ])("refuses %s", (_, conf, cause) => {
    const run = new Host().conf(103, conf).record(103).run("discard");
    expect([run.code, run.pct]).toEqual([1, ""]);
    expect(run.output).toMatch(/^error: node-1-discard: /m);
    expect(run.output).toContain(cause);
    expect(run.output).toMatch(/^next: +\S/m);
  });

  it("refuses a guest with K3s on its disk, whatever its configuration says", () => {
    const run = new Host(true).conf(103, ours).record(103).run("discard");
    expect([run.code, run.pct]).toEqual([1, ""]);
    expect(run.output).toContain("has K3s on its disk; it was not touched");
  });

  it("takes the lock away that a worker left when it died", () => {
    const host = new Host().conf(103, locked).record(103);
    fs.writeFileSync(host.workerLock, "");
    // The bound is not reached: nobody holds the worker's file.
    expect(host.run("discard", 60)).toMatchObject({ code: 0, pct: "unlock 103\ndestroy 103 --force 1" });
  });

  describe("while a worker makes the guest", () => {
    let host: Host;
    let worker: ChildProcess;
    beforeEach(async () => {
      host = new Host().conf(103, locked).record(103);
      worker = spawn("flock", ["-F", host.workerLock, "sh", "-c", "echo held; exec sleep 60"], { stdio: "pipe" });
      await once(worker.stdout!, "data");
    });
    afterEach(() => worker.kill());

    it("waits for it, and gives up at its bound without touching it", () => {
      const run = host.run("discard", 1);
      expect([run.code, run.pct]).toEqual([1, ""]);
      expect(run.output).toContain("guest 103 (node-1) is still being made after 1 s; it was not touched");
    });
  });
});
