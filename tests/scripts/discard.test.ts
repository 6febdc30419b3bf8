import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import * as path from "node:path";

import { parseGuests } from "../../cli/recover/guests";
import { CREATION, MARK, ScriptedHost } from "../support/scriptedHost";

/*
 * Which guests `guests` lists and `discard` destroys, on configuration files in a scratch folder. `pct` is a double that records its
 * calls and finds no K3s in a guest; the lab shows that guests are really destroyed.
 */

const ours = `#creation ${CREATION} of ${MARK}\narch: amd64\nhostname: node-1\nrootfs: local-lvm:vm-103-disk-0,size=32G\n`;
const locked = `${ours}lock: create\n`;
const prepared = `${ours}lxc.apparmor.profile: unconfined\n`;
const foreign = "#my mail server\narch: amd64\nhostname: mail\nrootfs: local-lvm:vm-103-disk-0,size=8G\n";

class Host extends ScriptedHost {
  /** @param hasK3s what `pct exec … test -e /etc/rancher/k3s/config.yaml` answers */
  constructor(hasK3s = false) {
    super(`if [ "$1" = exec ]; then exit ${hasK3s ? 0 : 1}; fi`);
  }

  guest(vmid: number, text: string): this {
    this.conf(vmid, text);
    return this;
  }

  /** The file that a worker of Proxmox VE locks while it creates a guest. */
  get workerLock(): string {
    return path.join(this.root, "lock/pve-config-103.lock");
  }

  /** `pct` was called to change a guest. */
  run(task: "guests" | "discard", wait = 0) {
    const run = this.script(task, "look", { CREATION, WAIT: String(wait) });
    return { ...run, pct: run.pct.filter((call) => !call.startsWith("exec ")) };
  }
}

describe("guests", () => {
  it("lists each guest with our mark, marks those that this cluster has in another state, and lists no other guest", () => {
    const host = new Host()
      .guest(103, locked)
      .record("creations", 103)
      .guest(104, prepared)
      .record("creations", 104)
      .guest(105, foreign)
      .guest(106, `${foreign}[a]\n${ours}`)
      .guest(107, ours)
      .guest(108, ours)
      .record("creations", 108, "0".repeat(16))
      .guest(109, ours.replace(MARK, MARK.replace(/\S+$/, "fedcba9876543210")))
      .record("creations", 109)
      .guest(110, ours.replace(MARK, MARK.replace("homelab", "other").replace(/\S+$/, "fedcba9876543210")));
    const { code, outcome } = host.run("guests");
    const standing = { pveNode: "pve", kind: "lxc", lock: "", creation: CREATION, unfinished: false, name: "node-1" };
    expect([code, parseGuests(outcome)]).toEqual([
      0,
      {
        ours: [
          { ...standing, vmId: 103, lock: "create", unfinished: true },
          ...[104, 107, 108].map((vmId) => ({ ...standing, vmId })),
        ],
        ofAnotherState: [{ ...standing, vmId: 109 }],
      },
    ]);
  });

  it("prints nothing on a host without such guests", () => {
    const { code, outcome } = new Host().run("guests");
    expect([code, parseGuests(outcome)]).toEqual([0, { ours: [], ofAnotherState: [] }]);
  });
});

describe("discard", () => {
  it("destroys a container of ours whose creation never finished", () => {
    const host = new Host().guest(103, ours).record("creations", 103);
    expect(host.run("discard")).toMatchObject({ code: 0, pct: ["destroy 103 --force 1"] });
    expect(fs.readdirSync(path.join(host.root, "state/creations"))).toEqual([]);
  });

  it("refuses one without a record of its creation, for example a restored backup", () => {
    const run = new Host().guest(103, ours).run("discard");
    expect([run.code, run.pct]).toEqual([1, []]);
    expect(run.output).toContain("this host has no record of an unfinished creation of guest 103 (node-1)");
  });

  it("is done when the guest is gone", () => {
    expect(new Host().run("discard")).toMatchObject({ code: 0, outcome: "guest 103 is already gone", pct: [] });
  });

  it.each([
    ["a foreign guest", foreign, "which is not ours; it was not touched"],
    ["a guest that has our mark in a snapshot only", `${foreign}[a]\n${ours}`, "which is not ours; it was not touched"],
    ["a node's machine", prepared, "has been a node; it was not touched"],
    [
      "a guest that was created again in the meantime",
      ours.replace(CREATION, "0".repeat(16)),
      "was created again in the meantime; it was not touched",
    ],
    [
      "a guest of another name",
      ours.replace("node-1", "node-2"),
      "was created again in the meantime; it was not touched",
    ],
  ])("refuses %s", (_, conf, cause) => {
    const run = new Host().guest(103, conf).record("creations", 103).run("discard");
    expect([run.code, run.pct]).toEqual([1, []]);
    expect(run.output).toMatch(/^error: node-1-discard: /m);
    expect(run.output).toContain(cause);
    expect(run.output).toMatch(/^next: +\S/m);
  });

  it("refuses a guest with K3s on its disk, whatever its configuration says", () => {
    const run = new Host(true).guest(103, ours).record("creations", 103).run("discard");
    expect([run.code, run.pct]).toEqual([1, []]);
    expect(run.output).toContain("has K3s on its disk; it was not touched");
  });

  it("removes the lock that a killed worker left", () => {
    const host = new Host().guest(103, locked).record("creations", 103);
    fs.writeFileSync(host.workerLock, "");
    // The test does not reach the time limit: no process holds the lock of the worker's file.
    expect(host.run("discard", 60)).toMatchObject({ code: 0, pct: ["unlock 103", "destroy 103 --force 1"] });
  });

  describe("while a worker creates the guest", () => {
    let host: Host;
    let worker: ChildProcess;
    beforeEach(async () => {
      host = new Host().guest(103, locked).record("creations", 103);
      worker = spawn("flock", ["-F", host.workerLock, "sh", "-c", "echo held; exec sleep 60"], { stdio: "pipe" });
      await once(worker.stdout!, "data");
    });
    afterEach(() => worker.kill());

    it("waits for the worker, and gives up at its time limit without changing the guest", () => {
      const run = host.run("discard", 1);
      expect([run.code, run.pct]).toEqual([1, []]);
      expect(run.output).toContain("guest 103 (node-1) is still being created after 1 s; it was not touched");
    });
  });
});
