import * as fs from "node:fs";
import { Homelab } from "../support/homelab";
import type { Entry } from "../support/journal";

/*
 * The engine and its plugins are killed (SIGKILL) at many moments in the life of one cluster. Each time the next run continues:
 * after `pulumi cancel` and, if an error names a command, after that command. The tests build on each other.
 */

jest.setTimeout(600_000);

const NODES = { 100: "k3s-master", 102: "k3s-worker-01", 103: "k3s-worker-02" };
/** A copy of one of our nodes with its mark, a guest of another person, and a node of a lost state. */
const COPY = 900;
const STRANGER = 901;
const OF_ANOTHER_STATE = 902;

let lab: Homelab;
beforeAll(async () => {
  lab = await Homelab.start();
});
beforeEach(() => lab.journal.clear());
afterAll(() => lab?.dispose());

const begins =
  (what: string, times = 1) =>
  (): boolean =>
    lab.journal.whats().filter((each) => each.endsWith(what)).length === times;

async function killedAt(moment: (entry: Entry) => boolean, command: "up" | "destroy" = "up"): Promise<void> {
  lab.journal.clear();
  await lab.killed(moment, command);
  await lab.cancel();
}

const recover = (...args: string[]) => lab.command("recover", "--stack", "homelab", ...args);
const nextOf = (output: string): string | undefined => /^next: +(.*)$/m.exec(output)?.[1];
const guests = (): number[] => [...lab.machines.guests.keys()].sort();
const machinesInState = async (): Promise<string[]> =>
  (await lab.state()).flatMap(({ type, name }) => (type.startsWith("proxmoxve:index") ? [name] : [])).sort();

it("inside a script of the cluster: nothing is made yet", async () => {
  await killedAt(begins("homelab-roster create"));
  expect(guests()).toEqual([]);
});

describe("inside a guest's creation", () => {
  it("recover does nothing while another run has the stack's lock", async () => {
    // The task runs longer than the engine.
    lab.faults.set({ kind: "task-slow", task: "vzcreate", seconds: 3, guest: 103 });
    await lab.killed(begins("guest 102 create"), "up");
    lab.faults.clear();
    const { code, stderr } = await recover("--yes");
    expect([code, stderr]).toEqual([1, expect.stringContaining("pulumi cancel")]);
    const { stdout } = await lab.doctor();
    expect(stdout).toMatch(
      /^! runs +a run of Pulumi holds the stack since \S+: process \d+ of \S+ on \S+\n +→ wait until it ends; if it was interrupted: pulumi cancel --yes, then npx proxmox-k3s recover$/m,
    );
    expect(guests()).toContain(102);
    await lab.cancel();
  });

  it("the next up names the guest that is missing in the state, and the command to run", async () => {
    const { code, errors } = await lab.up();
    expect(code).not.toBe(0);
    expect(errors.join("\n")).toContain("VMID 102 has our mark, but is not in this stack's state");
    expect(nextOf(errors.join("\n"))).toMatch(/^npx proxmox-k3s recover /);
  });

  it("recover does nothing without a confirmation", async () => {
    const before = guests();
    const nobody = await recover();
    expect([nobody.code, nobody.stdout]).toEqual([1, expect.stringContaining("There is no terminal to ask on")]);
    const no = await lab.commandAtTerminal("n", "recover", "--stack", "homelab");
    expect([no.code, no.stdout]).toEqual([1, expect.stringContaining("Go on? [y/N]")]);
    expect(no.stdout).toContain("Nothing was done.");
    expect(guests()).toEqual(before);
  });

  it("recover removes it; it leaves another person's guest alone, and a guest that may be complete", async () => {
    const ours = fs.readFileSync(lab.host.confFile(102), "utf8");
    const copy = `${ours.replace("k3s-worker-01", "k3s-worker-01-copy")}lxc.apparmor.profile: unconfined\n`;
    const stranger = "arch: amd64\nhostname: nas\nmemory: 512\nrootfs: local-lvm:vm-901-disk-0,size=8G\nswap: 0\n";
    fs.writeFileSync(lab.host.confFile(COPY), copy);
    fs.writeFileSync(lab.host.confFile(STRANGER), stranger);
    const lost = copy.replace(/( of proxmox-k3s \S+ )[0-9a-f]{16}/, `$1${"f".repeat(16)}`);
    fs.writeFileSync(lab.host.confFile(OF_ANOTHER_STATE), lost);

    const { code, stdout } = await lab.commandAtTerminal("y", "recover", "--stack", "homelab");
    expect(stdout).toContain("guest 102 (k3s-worker-01): its creation was interrupted");
    expect(stdout).toContain(`error: guest ${COPY} (k3s-worker-01-copy) may be a node`);
    expect(stdout).not.toContain(String(STRANGER));
    expect(stdout).toContain(
      `guest ${OF_ANOTHER_STATE} (k3s-worker-01-copy): is a node of this cluster in another Pulumi state; it is not touched`,
    );
    expect(code).toBe(1);
    expect(guests()).not.toContain(102);
    // The failed `up` may have made other guests, in order.
    expect(guests().map((vmid) => NODES[vmid as keyof typeof NODES])).toEqual(await machinesInState());
    expect(fs.readFileSync(lab.host.confFile(COPY), "utf8")).toBe(copy);
    expect(fs.readFileSync(lab.host.confFile(STRANGER), "utf8")).toBe(stranger);
    expect(fs.readFileSync(lab.host.confFile(OF_ANOTHER_STATE), "utf8")).toBe(lost);

    for (const vmid of [COPY, OF_ANOTHER_STATE]) fs.rmSync(lab.host.confFile(vmid));
    const again = await recover("--yes");
    expect([again.code, again.stdout]).toEqual([0, "Nothing is left to recover.\nnext:  pulumi up\n"]);
  });
});

it.each([
  ["a container's preparation", begins("-lxc create", 3)],
  ["the installation of K3s", begins("k3s-worker-01-k3s create")],
  // The node whose K3s was interrupted; the other one may be finished by then.
  ["the wait for a node", begins("k3s-worker-01-ready create")],
])("inside %s: the next run continues by itself", async (_, moment) => {
  await killedAt(moment);
  expect(guests()).toEqual([100, 102, 103]);
});

it("ends with the same result as an up without an interruption", async () => {
  const { code, stdout, warnings } = await lab.up();
  expect([code, code === 0 ? "" : stdout]).toEqual([0, ""]);
  expect(warnings.join("\n")).toContain("pending operations");
  expect(await machinesInState()).toEqual(Object.values(NODES));
  expect(guests()).toEqual(Object.keys(NODES).map(Number));
  expect([...lab.host.members.keys()].sort()).toEqual(Object.values(NODES));
  const second = await lab.up();
  expect([second.code, second.changes]).toEqual([0, {}]);
});

describe("while a node is removed", () => {
  it("inside its leave and inside its guest's removal: it takes a refresh at most, and nothing of the node is left", async () => {
    lab.edit(({ pools }) => (pools.worker.count = 1));
    await killedAt(begins("k3s-worker-02-leave delete"));
    await killedAt(begins("guest 103 destroy"));
    const { code, stdout } = await recover("--yes");
    expect(stdout).toContain("guest 103 (k3s-worker-02): in the state, but the Proxmox host has no such guest");
    expect([code, nextOf(stdout)]).toEqual([0, "pulumi up --refresh, or pulumi destroy --refresh"]);
    const refreshed = await lab.up("--refresh");
    expect([refreshed.code, refreshed.errors]).toEqual([0, []]);
    expect(guests()).toEqual([100, 102]);
    expect(await machinesInState()).toEqual(["k3s-master", "k3s-worker-01"]);
  });
});

it("inside a destroy: it takes a refresh at most, and nothing is left", async () => {
  await killedAt(begins("guest 102 destroy"), "destroy");
  const { stdout } = await recover("--yes");
  expect(nextOf(stdout)).toBe("pulumi up --refresh, or pulumi destroy --refresh");
  const { code, errors } = await lab.destroy("--refresh");
  expect([code, errors]).toEqual([0, []]);
  expect([guests(), await lab.state()]).toEqual([[], []]);
});

it("inside a write of the state: an unreadable state can be read again after recover", async () => {
  // By default, a file backend has a metadata file next to each of its files, and empties it before a write.
  const url = lab.env["PULUMI_BACKEND_URL"]!.replace(/\?.*$/, "");
  lab.env["PULUMI_BACKEND_URL"] = url;
  const side = `${url.slice("file://".length)}/.pulumi/stacks/proxmox-k3s/homelab.json.attrs`;
  fs.writeFileSync(side, "");
  expect((await lab.pulumi("stack", "export")).stderr).toContain("failed to load checkpoint: EOF");
  const { code, stdout } = await recover("--yes");
  expect([code, stdout]).toEqual([
    0,
    expect.stringContaining(`removed ${side}, which the interrupted run had left empty`),
  ]);
  expect((await lab.pulumi("stack", "export")).code).toBe(0);
});
