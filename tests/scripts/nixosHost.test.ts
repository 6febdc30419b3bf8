import * as fs from "node:fs";

import { CREATION, MARK, ScriptedHost, type ScriptRun } from "../support/scriptedHost";

/*
 * The trial of a NixOS system, from the Proxmox host. `qm` is a double: it answers for the guest agent; tests/scripts/nixos.test.ts
 * shows what happens in the machine.
 */

const ours = `#creation ${CREATION} of ${MARK}\nname: node-1\nagent: enabled=1\nscsi0: local-lvm:vm-103-disk-0,size=20G\n`;

/**
 * @param said the guest's answers, one by one; the last one repeats
 * @param names its host name before and after a restart; "-" if the guest agent does not answer
 */
function host(said: readonly string[], names: readonly string[] = ["node-1"]): ScriptedHost {
  const machine = new ScriptedHost().record("prepared", 103);
  const file = (name: string): string => `${machine.root}/${name}`;
  machine.conf(103, ours, "qemu-server");
  machine.qm(`
    next() { printf "$(sed -n 1p "$1")\\n"; if [ "$(wc -l <"$1")" -gt 1 ]; then sed -i 1d "$1"; fi; }
    case "$1 $2 $3" in
      status*) echo "status: running" ;;
      start*) sed -i 1d ${file("names")} ;;
      "guest exec "*)
        case "$*" in
          *"/proc/sys/kernel/hostname"*)
            if [ "$(sed -n 1p ${file("names")})" = - ]; then sed -i 1d ${file("names")}; exit 1; fi
            sed -n 1p ${file("names")} | answer 0 ;;
          *"proxmox-k3s-nixos.sh try"* | *"nixos.sh said"* | *"nixos.sh keep"*) next ${file("said")} | answer 0 ;;
          *) : | answer 0 ;;
        esac ;;
    esac`);
  fs.writeFileSync(file("names"), `${names.join("\n")}\n`);
  fs.writeFileSync(file("said"), `${said.join("\n")}\n`);
  return machine;
}
const run = (task: "nixos-trial" | "nixos-keep", ...of: Parameters<typeof host>): ScriptRun => {
  const machine = host(...of);
  machine.hurry();
  return machine.script(task, "update");
};
const restarts = ({ qm }: ScriptRun): string[] => qm.filter((call) => /^(start|shutdown)/.test(call));

describe("the trial", () => {
  test("waits until the machine has switched, and says so, or says that there is nothing to switch", () => {
    expect(run("nixos-trial", ["waiting", "waiting", "tried"])).toMatchObject({ code: 0, outcome: "tried" });
    expect(run("nixos-trial", ["unchanged"])).toMatchObject({ code: 0, outcome: "unchanged" });
  });

  test("fails with what the machine said if its switch failed, and when it takes too long", () => {
    const failed = run("nixos-trial", ["waiting", "error: unit sshd failed\\nformer"]);
    expect([failed.code, failed.output]).toEqual([
      1,
      expect.stringContaining(
        "error: unit sshd failed\n\nerror: node-1-nixos-trial: node-1 went back to its former system: its switch failed\nnext:  fix what the lines above say",
      ),
    ]);
    const slow = run("nixos-trial", ["waiting"]);
    expect([slow.code, slow.output]).toEqual([
      1,
      expect.stringContaining(
        "node-1 (103) has not switched to its new system after 240 s; it goes back to the former one\nnext:  qm guest exec 103 -- journalctl -u proxmox-k3s-switch",
      ),
    ]);
  });
});

describe("a system that is kept", () => {
  test("does not restart a machine that has its name, and restarts one that has another", () => {
    const named = run("nixos-keep", ["kept"]);
    expect([named.code, named.outcome, restarts(named)]).toEqual([0, "node-1 keeps its system", []]);
    const renamed = run("nixos-keep", ["kept"], ["nixos", "node-1"]);
    expect([renamed.code, renamed.outcome, restarts(renamed)]).toEqual([
      0,
      "node-1 keeps its system, and has its name",
      ["shutdown 103 --forceStop 1 --timeout 120", "start 103"],
    ]);
  });

  test("restarts no machine that does not say its name", () => {
    const late = run("nixos-keep", ["kept"], ["-", "-", "node-1"]);
    expect([late.code, late.outcome, restarts(late)]).toEqual([0, "node-1 keeps its system", []]);
    const mute = run("nixos-keep", ["kept"], ["-"]);
    expect([mute.code, restarts(mute)]).toEqual([1, []]);
    expect(mute.output).toContain("the guest agent of node-1 (103) does not answer");
    const restarted = run("nixos-keep", ["kept"], ["nixos", "-", "node-1"]);
    expect([restarted.code, restarts(restarted).length]).toEqual([0, 2]);
  });

  test("is an error if the machine has another name after its restart too, or has gone back", () => {
    const other = run("nixos-keep", ["unchanged"], ["nixos", "nixos"]);
    expect([other.code, other.output]).toEqual([
      1,
      expect.stringContaining(
        "node-1 (103) has another host name after its restart too\nnext:  remove networking.hostName from configuration.nix",
      ),
    ]);
    const back = run("nixos-keep", ["former"]);
    expect([back.code, restarts(back), back.output]).toEqual([
      1,
      [],
      expect.stringContaining("node-1 went back to its former system: the new one was not confirmed within 420 s"),
    ]);
  });

  test("is not attempted on a guest that is not ours", () => {
    const machine = host(["kept"]);
    machine.conf(103, ours.replace(MARK, "somebody else's"), "qemu-server");
    const { code, qm } = machine.script("nixos-keep", "update");
    expect([code, qm]).toEqual([1, []]);
  });
});
