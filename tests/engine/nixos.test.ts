import { putNixos, systemOf } from "../support/doubles/nixosGuest";
import { Homelab, LOOK } from "../support/homelab";
import { ensureNix } from "../support/nix";
import type { PulumiResult } from "../support/pulumiResult";
import { succeeded } from "../support/succeeded";

/**
 * A server in a container, and agents in virtual machines with NixOS, on the real engine. The program's scripts run in these
 * machines; NixOS is a double (docs/lab.md). The tests build on each other.
 */

jest.setTimeout(300_000);

const TEMPLATE = 9000;
const NODES = ["k3s-nix-1", "k3s-nix-2"] as const;
const VMIDS = [120, 121] as const;

let lab: Homelab;
beforeAll(async () => {
  await ensureNix();
  lab = await Homelab.start();
  await lab.makeVmTemplate(TEMPLATE);
  putNixos(lab.machines.disk(TEMPLATE));
  lab.edit((cluster) => {
    cluster.firewall = { enabled: true, adminNetworks: ["192.168.2.0/24"] };
    delete cluster.pools.worker;
    cluster.pools.nix = {
      ...{ kind: "vm", os: "nixos", role: "agent", count: 2, hostname: "k3s-nix-{0}", template: TEMPLATE },
      ...{ vmIds: { from: 120 }, addresses: { from: "192.168.2.40" }, cores: 2, memory: "4GB", disk: "20GB" },
    };
  });
});
beforeEach(() => lab.journal.clear());
afterAll(() => lab?.dispose());

const disk = (vmid: number) => lab.machines.disk(vmid);
const members = (): string[] => [...lab.host.members.keys()].sort();
const open = (ports: number): void =>
  lab.edit(({ firewall }) => (firewall.extra = { exporter: { protocol: "tcp", ports, networks: ["10.1.0.0/16"] } }));
/** The running system of a machine, and the one for its next boot. */
const systems = (vmid: number): string[] => [systemOf(disk(vmid), "runs"), systemOf(disk(vmid), "boots")];
/** All switches of a machine to another system, the latest first. */
const switches = (vmid: number): string[] => (disk(vmid).read("switches") ?? "").trim().split("\n").reverse();
/** The starts of the machines, and those of K3s. */
const disturbances = (): string[] => lab.journal.whats("machine").filter((what) => !what.endsWith(" firewall"));
/** The output of a run that must fail. */
const complaints = (run: PulumiResult): string => {
  expect(run.code).toBe(1);
  return [run.stdout, ...run.errors].join("\n");
};

it("join: each builds its system, keeps it after a trial and restarts for its name; only then its K3s registers", async () => {
  const letIn: boolean[] = [];
  lab.journal.watch = ({ what }) => {
    if (what === "guest 120 k3s") letIn.push(disk(100).firewall!.includes("192.168.2.40"));
  };
  succeeded(await lab.up());
  lab.journal.watch = () => {};
  expect(members()).toEqual(["k3s-master", ...NODES]);
  expect(letIn).toEqual([true]);
  for (const [at, name] of NODES.entries()) {
    const steps = ["vm create", "artifacts create", "nixos-trial update", "nixos-keep update", "k3s create"];
    expect(lab.journal.inOrder(...steps.map((step) => `${name}-${step}`))).toBe(true);
    expect(lab.journal.inOrder(`${name}-rules create`, `${name}-nixos-trial update`)).toBe(true);
    const vmid = VMIDS[at]!;
    const ofNode = lab.journal
      .whats()
      .filter((what) => what.startsWith(`${name}-`) || what.startsWith(`guest ${vmid} `));
    expect(ofNode.slice(ofNode.indexOf(`${name}-nixos-keep update`))).toEqual([
      ...[`${name}-nixos-keep update`, `guest ${vmid} shutdown`, `guest ${vmid} start`],
      ...[`${name}-k3s create`, `guest ${vmid} k3s`, `${name}-ready create`],
    ]);
    expect(switches(vmid)).toEqual(["boot", "test"].map((verb) => `switch-to-configuration ${verb} ${name}`));
    expect(systems(vmid)).toEqual(Array(2).fill(expect.stringMatching(`-nixos-system-${name}$`)));
    expect(disk(vmid).read("hardware")).toBe("generated\n");
    expect(disk(vmid).k3s).toMatchObject({ name, role: "agent", version: "v1.36.3+k3s1" });
  }
});

it("a second up changes nothing", async () => {
  const second = await lab.up();
  succeeded(second);
  expect([second.changes, lab.journal.whats()]).toEqual([{}, [LOOK]]);
});

it("another open port is a new system, which the machines try one after another; their K3s runs on", async () => {
  const former = VMIDS.map(systems);
  open(9100);
  const up = await lab.up();
  succeeded(up);
  const updated = ["homelab-firewall", ...NODES.flatMap((name) => [`${name}-artifacts`, `${name}-k3s`])];
  expect(Object.keys(up.changes).sort()).toEqual(updated);
  const turns = lab.journal.whats("script").filter((what) => /-(nixos-\w+|k3s) update$/.test(what));
  const [first = "", second = ""] = turns[0]?.startsWith(NODES[0]) ? NODES : [...NODES].reverse();
  expect(turns).toEqual(
    [first, second].flatMap((name) => ["nixos-trial", "nixos-keep", "k3s"].map((step) => `${name}-${step} update`)),
  );
  expect(lab.journal.inOrder(`${first}-k3s update`, `${second}-nixos-trial update`)).toBe(true);
  expect(disturbances()).toEqual([]);
  for (const [at, vmid] of VMIDS.entries()) {
    const [runs, boots] = systems(vmid);
    expect(boots).toBe(runs);
    expect(former[at]).not.toContain(boots);
  }
});

describe("a new system that fails", () => {
  let former: string[];
  beforeEach(() => (former = systems(120)));

  it("because its switch fails: it is undone, and the error names node, step, cause and remedy", async () => {
    disk(120).write("fails", "test error: unit foo.service failed\n");
    open(9101);
    const run = await lab.up();
    expect(complaints(run)).toMatch(
      /error: unit foo.service failed\s+error: k3s-nix-1-nixos-trial: k3s-nix-1 went back to its former system: its switch failed\s+next: +fix what the lines above say/,
    );
    expect(run.failed).toContain("k3s-nix-1-k3s");
    expect([systems(120), disturbances()]).toEqual([former, []]);
  });

  it("because it cannot be reached: it is not kept and is undone after its time limit; the next up tries it again", async () => {
    lab.editProgram("components/nixos.ts", (text) => text.replace("TRY_SECONDS = 60", "TRY_SECONDS = 2"));
    disk(120).write("fails", "reach\n");
    expect(complaints(await lab.up())).toMatch(
      /k3s-nix-1-nixos-trial: with its new system this machine does not reach k3s-nix-1 by SSH; the node goes back to its former system within 7 minutes\s+next: +look at it with the guest agent/,
    );
    expect(systems(120)).toEqual([expect.not.stringMatching(former[0]!), former[1]]);
    expect(lab.journal.whats()).not.toContain("k3s-nix-1-nixos-keep update");
    // The timers in the guests are doubles; the real ones do this.
    await lab.vms.run(120, ["sh", "/run/proxmox-k3s-nixos/guest-nixos.sh", "back"]);
    expect(systems(120)).toEqual(former);
    disk(120).write("fails", "");
    succeeded(await lab.up());
    expect([systems(120)[0] === systems(120)[1], disturbances()]).toEqual([true, []]);
    expect(systems(120)).not.toEqual(former);
  });

  it("because K3s refuses an option: one node goes back, K3s runs there again, and the option can be removed", async () => {
    const before = VMIDS.map(systems);
    lab.edit(({ k3s }) => (k3s.agentConfig = { "kubelet-arg": ["double-refuses=1"] }));
    expect(complaints(await lab.up())).toMatch(
      /error: k3s-nix-(\d)-k3s: k3s on k3s-nix-\1: level=fatal [^\n]*; it starts again with the system of its last good start\s+next: +correct k3s.serverConfig or k3s.agentConfig in the config, then pulumi up/,
    );
    expect([VMIDS.map(systems), VMIDS.map((vmid) => disk(vmid).hasK3sUp)]).toEqual([before, [true, true]]);
    lab.edit(({ k3s }) => delete k3s.agentConfig);
    lab.journal.clear();
    succeeded(await lab.up());
    expect([VMIDS.map(systems), disturbances()]).toEqual([before, []]);
  });
});

it("with count 0 each is drained and leaves before its machine is removed, and no firewall admits it any more", async () => {
  lab.edit(({ pools }) => (pools.nix.count = 0));
  const up = await lab.up();
  succeeded(up);
  expect([members(), lab.guests]).toEqual([["k3s-master"], [100]]);
  for (const [at, name] of NODES.entries()) {
    expect(up.stdout).toContain(`draining ${name} `);
    expect(lab.journal.inOrder(`${name}-leave delete`, `${name}-guard delete`, `guest ${VMIDS[at]} destroy`)).toBe(
      true,
    );
  }
  expect(up.stdout).not.toMatch(/Failed to|was not stopped/);
  expect(disk(100).firewall).not.toContain("192.168.2.4");
});

it("destroy removes a cluster with NixOS", async () => {
  lab.edit(({ pools }) => (pools.nix.count = 1));
  succeeded(await lab.up());
  expect(members()).toEqual(["k3s-master", "k3s-nix-1"]);
  succeeded(await lab.destroy());
  expect(lab.guests).toEqual([]);
});
