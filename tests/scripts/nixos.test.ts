import * as fs from "node:fs";

import { loadPlan } from "../../plan/load";
import { isNixos } from "../../plan/model";
import { k3sConfig } from "../../plan/render/k3sConfig";
import { nixosModule } from "../../plan/render/nixosModule";
import { ensureNix } from "../support/nix";
import { NixosMachine, type NixosRun } from "../support/nixosMachine";
import { stackCluster } from "../support/program";
import { changed } from "../unit/config/support";

/* What the scripts do on a machine with NixOS: mizar of Pulumi.mizar.yaml. `nixos-rebuild` is a double that checks the module's form. */

beforeAll(ensureNix, 300_000);

function given(change: unknown = {}): Readonly<Record<string, string>> {
  const plan = loadPlan(changed(stackCluster("Pulumi.mizar.yaml"), change));
  const node = plan.nodes.filter(isNixos).find(({ name }) => name === "mizar")!;
  return {
    ...{ NAME: "mizar", ROLE: "agent", ARCH: "amd64", VERSION: plan.version, START_TIMEOUT: "2", REPAIRS: "0" },
    ...{ CONFIG: k3sConfig(node, plan), MODULE: nixosModule(node, plan), MODULE_SHA256: "0".repeat(64) },
  };
}
const build = (machine: NixosMachine, change: unknown = {}): NixosRun => machine.task("nixos-build", given(change));
const LABELLED = { pools: { agent: { labels: { tier: "web" } } } };
const SECRETS = { TOKEN: "K10aa::node:secret-of-agents" };
const start = (machine: NixosMachine, change: unknown = {}, env: Readonly<Record<string, string>> = {}): NixosRun =>
  machine.task("nixos-k3s", { ...given(change), ...env }, SECRETS);
/** A machine whose system was built, tried and kept. */
function kept(change: unknown = {}, machine = new NixosMachine()): NixosMachine {
  expect(build(machine, change)).toMatchObject({ code: 0 });
  machine.guest("try", "300");
  expect([machine.guest("said"), machine.guest("keep")]).toEqual(["tried", "kept"]);
  return machine;
}

describe("the build", () => {
  test("writes module, options and import, generates the hardware config once, and changes nothing that runs", () => {
    const machine = new NixosMachine();
    expect(build(machine)).toMatchObject({ code: 0, outcome: "the system of mizar with K3s v1.36.3+k3s1 is built" });
    expect(fs.readdirSync(machine.at("etc/nixos/proxmox-k3s")).sort()).toEqual([
      "config.yaml",
      "module.nix",
      "system.nix",
    ]);
    expect(machine.read("etc/nixos/proxmox-k3s/module.nix")).toBe(`${given()["MODULE"]}\n`);
    expect(machine.read("etc/nixos/hardware-configuration.nix")).toContain("/dev/disk/by-uuid/0");
    expect([machine.system(), machine.read("switches")]).toEqual(["template", ""]);
    build(machine, LABELLED);
    expect(machine.read("hardware")).toBe("generated\n");
    expect(machine.read("etc/nixos/configuration.nix")).toBe('{ boot.loader.grub.device = "/dev/sda"; }');
  });

  test.each([
    [
      "another system",
      (machine: NixosMachine) => fs.rmSync(machine.at("etc/NIXOS")),
      "mizar has no NixOS",
      "take a template with NixOS",
    ],
    [
      "a template without its configuration",
      (machine: NixosMachine) => fs.rmSync(machine.at("etc/nixos/configuration.nix")),
      "mizar has no /etc/nixos/configuration.nix, which has its boot loader",
      "put it into the template (docs/nixos.md)",
    ],
    [
      "another release of K3s",
      (machine: NixosMachine) => machine.write("k3s-release", "1.36.1+k3s1"),
      "the nixpkgs of mizar does not fit the plan: K3s is 1.36.1+k3s1 as k3s_1_36 in this nixpkgs, not 1.36.3+k3s1",
      "nix-channel --update in the machine, or set cluster.version to a release that its nixpkgs has",
    ],
    [
      "a nixpkgs without the minor",
      (machine: NixosMachine) => machine.write("k3s-release", "1.34.1+k3s1"),
      "the nixpkgs of mizar does not fit the plan: there is no k3s_1_36 in this nixpkgs, for 1.36.3+k3s1",
      "nix-channel --update",
    ],
    [
      "no channel",
      (machine: NixosMachine) =>
        machine.write("fails", "build error: file 'nixpkgs' was not found in the Nix search path\n"),
      "mizar has no nixpkgs",
      "add the channel nixos",
    ],
    [
      "a full disk",
      (machine: NixosMachine) => machine.write("fails", "build error: writing to file: No space left on device\n"),
      "the disk of mizar is full",
      "give the node a larger disk",
    ],
    [
      "no network",
      (machine: NixosMachine) =>
        machine.write("fails", "build warning: unable to download 'x': Could not resolve host\n"),
      "mizar did not get all packages",
      "see that it reaches its binary cache",
    ],
    [
      "a configuration of people's own that Nix does not read",
      (machine: NixosMachine) => machine.write("etc/nixos/configuration.nix", "{ boot = ; }"),
      "the system of mizar was not built",
      "fix what the lines above say, in configuration.nix",
    ],
  ])("names cause and remedy: %s", (_, spoil, cause, next) => {
    const machine = new NixosMachine();
    spoil(machine);
    const { code, output } = build(machine);
    expect(code).toBe(1);
    expect(output).toContain(`error: mizar-nixos-build: ${cause}\nnext:  ${next}`);
    expect(machine.system()).toBe("template");
  });
});

describe("a system on trial", () => {
  test("runs, but the machine boots with it only once it is kept, which ends the timer", () => {
    const machine = new NixosMachine();
    build(machine);
    expect(machine.guest("try", "300")).toBe("waiting");
    expect([machine.guest("said"), machine.system("nix/var/nix/profiles/system")]).toEqual(["tried", "template"]);
    expect(machine.system()).toContain("nixos-system-mizar");
    expect(machine.read("units")).toContain("--unit=proxmox-k3s-back --on-active=300 ");
    expect(machine.guest("keep")).toBe("kept");
    expect(machine.system("nix/var/nix/profiles/system")).toBe(machine.system());
    const after = machine.read("units").trim().split("\n").slice(-2);
    expect(after).toEqual(
      ["stop proxmox-k3s-back.timer", "is-active -q proxmox-k3s-back.service"].map((call) => `systemctl ${call}`),
    );
    expect([machine.guest("try", "300"), machine.guest("keep")]).toEqual(["unchanged", "unchanged"]);
  });

  test("is replaced by the former one when its time is over, and cannot be kept after that", () => {
    const machine = kept();
    const former = machine.system();
    build(machine, LABELLED);
    machine.guest("try", "300");
    expect(machine.system()).not.toBe(former);
    expect([machine.guest("back"), machine.system(), machine.guest("keep")]).toEqual([
      expect.anything(),
      former,
      "former",
    ]);
    expect(machine.system("nix/var/nix/profiles/system")).toBe(former);
    // The next run tries the system again.
    expect([machine.guest("try", "300"), machine.guest("said"), machine.guest("keep")]).toEqual([
      "waiting",
      "tried",
      "kept",
    ]);
  });

  test("is not kept while the switch to the former one runs, even if the link still points to it", () => {
    const machine = kept();
    const former = machine.system();
    build(machine, LABELLED);
    machine.guest("try", "420");
    machine.write("goes-back", "");
    expect(machine.guest("keep")).toBe("former");
    expect(machine.system("nix/var/nix/profiles/system")).toBe(former);
  });

  test.each(["test", "boot"])("is undone at once if nixos-rebuild %s fails", (verb) => {
    const machine = kept();
    const former = machine.system();
    build(machine, LABELLED);
    machine.write("fails", `${verb} error: a unit failed\n`);
    machine.guest("try", "300");
    expect(verb === "test" ? machine.guest("said") : machine.guest("keep")).toBe("former");
    expect([machine.system(), machine.system("nix/var/nix/profiles/system")]).toEqual([former, former]);
  });

  test("is kept on a machine with a failed unit too, although NixOS then reports a failed switch", () => {
    const machine = kept();
    const former = machine.system();
    machine.write("failed-unit", "backup.service\n");
    kept(LABELLED, machine);
    expect(machine.system()).not.toBe(former);
    expect(machine.system("nix/var/nix/profiles/system")).toBe(machine.system());
    expect(machine.read("run/proxmox-k3s-nixos/said")).toContain("units failed: backup.service\n");
  });
});

describe("K3s", () => {
  const mode = (machine: NixosMachine, file: string) => (fs.statSync(machine.at(file)).mode & 0o777).toString(8);

  test("gets its token in a file that is not in the Nix store, and starts; a second run changes nothing", () => {
    const machine = kept();
    expect(start(machine)).toMatchObject({ code: 0, outcome: "restarted" });
    expect(machine.read("etc/rancher/k3s/token")).toBe(`${SECRETS.TOKEN}\n`);
    expect(mode(machine, "etc/rancher/k3s/token")).toBe("600");
    expect(start(machine)).toMatchObject({ code: 0, outcome: "unchanged" });
    expect(start(machine, {}, { REPAIRS: "1" })).toMatchObject({ code: 0, outcome: "restarted" });
    for (const folder of ["etc/nixos", "nix"])
      expect(
        fs
          .readdirSync(machine.at(folder), { recursive: true, withFileTypes: true })
          .filter(
            (entry) =>
              entry.isFile() && fs.readFileSync(`${entry.parentPath}/${entry.name}`, "utf8").includes("secret-of"),
          ),
      ).toEqual([]);
  });

  test("is not restarted by another system, unless the system starts it with other options", () => {
    const machine = kept();
    start(machine);
    const former = machine.system();
    const door = { firewall: { extra: { exporter: { protocol: "tcp", ports: 9100, networks: ["10.1.0.0/16"] } } } };
    expect(start(kept(door, machine), door)).toMatchObject({ code: 0, outcome: "unchanged" });
    expect(machine.system()).not.toBe(former);
    const labelled = { ...door, ...LABELLED };
    expect(start(kept(labelled, machine), labelled)).toMatchObject({ outcome: "restarted" });
  });

  test("gets the registries' passwords in a file that is not in the Nix store, and restarts for a changed password too", () => {
    const machine = kept();
    start(machine);
    const registries = (password: string): NixosRun => {
      const yaml = `configs: { registry.lan: { auth: { username: reader, password: ${password} } } }`;
      return machine.task("nixos-k3s", given(), {
        ...SECRETS,
        REGISTRIES_YAML: yaml,
        REGISTRY_CAS: "# registry.lan\nPEM",
      });
    };
    expect(["secret-of-a", "secret-of-a", "secret-of-b"].map((password) => registries(password).outcome)).toEqual([
      ...["restarted", "unchanged", "restarted"],
    ]);
    expect(machine.read("etc/rancher/k3s/registries.yaml")).toContain("password: secret-of-b");
    expect(machine.read("etc/rancher/k3s/registries/registry.lan.pem")).toBe("PEM\n");
    expect(mode(machine, "etc/rancher/k3s/registries.yaml")).toBe("600");
    expect(machine.read("etc/nixos/proxmox-k3s/module.nix")).not.toContain("registr");
    machine.write("broken", "level=fatal msg=bad\n");
    const { output } = registries("secret-of-c");
    expect(output).toContain("k3s on mizar: level=fatal msg=bad; it starts again with the configuration it had");
    expect(machine.read("etc/rancher/k3s/registries.yaml")).toContain("password: secret-of-b");
    fs.rmSync(machine.at("broken"));
    expect(start(machine)).toMatchObject({ code: 0, outcome: "restarted" });
    expect(fs.existsSync(machine.at("etc/rancher/k3s/registries.yaml"))).toBe(false);
  });

  test("of a server that joins others gets the other server's address and its token in files too", () => {
    const machine = kept();
    machine.write("var/lib/proxmox-k3s/join", "https://172.22.0.135:6443 abc\n");
    const run = machine.task(
      "nixos-k3s",
      { ...given(), ROLE: "server" },
      { TOKEN: "secret-of-servers", AGENT_TOKEN: "secret-of-agents" },
    );
    expect(run).toMatchObject({ outcome: "restarted" });
    expect(machine.read("etc/rancher/k3s/config.yaml.d/join.yaml")).toBe("server: https://172.22.0.135:6443\n");
    expect(machine.read("etc/rancher/k3s/token")).toBe("K10abc::server:secret-of-servers\n");
    expect(mode(machine, "etc/rancher/k3s/agent-token")).toBe("600");
  });

  test("waits for the machine's own name and system", () => {
    const machine = new NixosMachine();
    build(machine);
    expect(start(machine).output).toContain(
      "error: mizar-nixos-k3s: mizar does not run the system that was built for it",
    );
    fs.writeFileSync(machine.at("bin/hostname"), "#!/bin/sh\necho nixos\n");
    const { code, output } = start(kept({}, machine));
    expect([code, output]).toEqual([1, expect.stringContaining("the host name is nixos, not mizar")]);
    expect(machine.read("etc/rancher/k3s/token")).toBe("");
  });

  test("that does not start restores the system of its last good start, also for the next boot", () => {
    const machine = kept();
    start(machine);
    const good = machine.system();
    kept(LABELLED, machine);
    expect(machine.system()).not.toBe(good);
    machine.write("broken", 'level=fatal msg="Error: flag provided but not defined: -x"\n');
    machine.write("failed-unit", "k3s.service\n");
    const { code, output } = start(machine, LABELLED);
    expect(code).toBe(1);
    expect(output).toContain(
      'error: mizar-nixos-k3s: k3s on mizar: level=fatal msg="Error: flag provided but not defined: -x"',
    );
    expect(output).toMatch(/; it starts again with the system of its last good start\nnext: +correct k3s.serverConfig/);
    expect([machine.system(), machine.system("nix/var/nix/profiles/system")]).toEqual([good, good]);
  });

  test("whose first start fails keeps its system, because there is no earlier one", () => {
    const machine = kept();
    machine.write("broken", "level=fatal msg=bad\n");
    expect(start(machine).code).toBe(1);
    expect(machine.system()).toContain("nixos-system-mizar");
  });
});
