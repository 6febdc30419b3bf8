import { spawn } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";

import { clusterIn } from "../../cli/preview/former";
import { findLab } from "../../lab/lab";
import { loadPlan } from "../../plan/load";
import { InitLab } from "../support/initLab";
import { eventually, type Finished, finish } from "../support/lab";
import { PageCommands } from "../support/pageCommands";
import { killTree } from "../support/processTree";

/*
 * The commands of the pages about moving, upgrade and trouble, read from them and run as far as a lab can. One lab and one small
 * cluster; the tests build on each other. With K3S_BINARY there is no next release, because its version is not a text in it.
 */

const repo = path.join(__dirname, "../..");
const world = new InitLab("pages");
const { name } = world;
const [SERVER, WORKER, NEW] = ["control-1", "worker-1", "worker-2"].map((end) => `${name}-${end}`) as [
  string,
  string,
  string,
];

async function well(run: Promise<Finished>): Promise<string> {
  const { code, stdout, stderr } = await run;
  expect([code, code === 0 ? "" : stdout + stderr]).toEqual([0, ""]);
  return stdout;
}
const pulumi = (...args: string[]): Promise<Finished> =>
  finish("pulumi", [...args, "--stack", name, "--non-interactive"], world.envAfter());
const ready = async (): Promise<string[]> => Object.keys(await world.readyNodes()).sort();
const vmidOf = (node: string): number =>
  loadPlan(clusterIn(world.stackFile)).nodes.find((each) => each.name === node)!.vmId;

beforeAll(() => world.up(), 40 * 60_000);
afterAll(() => world.down(), 120_000);
jest.setTimeout(600_000);

it("moving: the host is checked, and the preview shows what would be created; nothing changes", async () => {
  const page = new PageCommands("docs/moving.md", "## The steps", world);
  const before = await world.hostState();
  const checked = await page.run("npx proxmox-k3s doctor --host root@HOST");
  // The only thing that a lab's host lacks.
  expect([checked.code, checked.stdout]).toEqual([1, expect.stringMatching(/✗ host +the host has no gateway/)]);
  expect(await well(page.run("npx proxmox-k3s init root@HOST --dry-run"))).toMatch(/vmIds: [^]*addresses: /);
  expect(await world.hostState()).toBe(before);
  expect(page.next(1)).toEqual([]);
});

it("a small cluster is created", async () => {
  await well(world.init("--yes", "--workers", "1"));
  world.takeArtifactsFromTheLab();
  await well(pulumi("up", "--yes", "--skip-preview"));
  await well(world.own("kubeconfig", "--merge", "--stack", name));
  expect(await ready()).toEqual([SERVER, WORKER]);
});

describe("upgrade", () => {
  /** The stand-in as the next release: its binary has another patch version of the same length. */
  async function offerNextRelease(): Promise<{ version: string; sha256: string }> {
    const former = findLab(world.lab.name)!.k3s.version;
    const version = former.replace(/\.(\d)\+/, (_, patch) => `.${Number(patch) + 1}+`);
    const folder = `/srv/artifacts/next/${version}`;
    await world.lab.host(`mkdir -p ${folder} && cp /srv/artifacts/k3s/${former}/k3s* ${folder}/`);
    await world.lab.host(`LC_ALL=C sed -i 's/${former.replaceAll(".", "\\.")}/${version}/g' ${folder}/k3s`);
    return { version, sha256: (await world.lab.host(`sha256sum <${folder}/k3s | cut -d' ' -f1`)).trim() };
  }

  it("K3s: the preview says what restarts, every node has the release, and nothing differs from the plan", async () => {
    const page = new PageCommands("docs/upgrade.md", "## K3s", world);
    // The lab has no internet.
    expect(page.next(1)).toEqual(["npx proxmox-k3s pin v1.36.3+k3s1"]);
    const release = await offerNextRelease();
    world.takeArtifactsFromTheLab({ folder: "next", ...release });
    expect(await well(page.run("npx proxmox-k3s preview"))).toContain("2 × K3s restart");
    await well(page.run("pulumi up"));
    expect(await world.readyNodes()).toEqual({ [SERVER]: release.version, [WORKER]: release.version });
    expect((await page.run("npx proxmox-k3s status")).stdout).not.toContain("differs from the plan");
    expect(page.next(1)).toEqual([]);
  });

  it("this program: a gate of another version is named, and is installed again without an option for its key", async () => {
    const page = new PageCommands("docs/upgrade.md", "## This program", world);
    expect(page.next(2)).toEqual(["git pull", "npm ci --omit=dev"]);
    const gate = "/usr/local/sbin/proxmox-k3s-gate";
    await world.lab.host(`sed -i 's/^script [0-9a-f]*/script ${"0".repeat(64)}/' ${gate}`);
    expect((await world.own("doctor", "--stack", name)).stdout).toContain("npx proxmox-k3s gate --install");
    expect(await well(page.run("npx proxmox-k3s gate --install root@HOST"))).toContain(`${gate} was installed`);
    expect(await well(page.run("npx proxmox-k3s doctor"))).toMatch(/\n\d+ passed/);
    expect(await well(page.run("pulumi preview"))).toMatch(/\n\s+\d+ unchanged\n/);
    expect(await well(page.run("pulumi up"))).toContain("the config disturbs no node");
    expect(page.next(1)).toEqual([]);
  });
});

describe("trouble", () => {
  it("an interrupted run: the page's three questions name the next step, which completes the cluster", async () => {
    await well(world.own("scale", "worker", "2", "--stack", name, "--yes"));
    const args = ["up", "--yes", "--skip-preview", "--stack", name, "--non-interactive"];
    const run = spawn("pulumi", args, { cwd: repo, env: world.envAfter(), stdio: "ignore" });
    await world.lab.until(`[ -e /etc/pve/lxc/${vmidOf(NEW)}.conf ]`);
    killTree(run.pid!);

    const questions = new PageCommands("docs/trouble.md", "# When something broke", world);
    expect((await questions.run("npx proxmox-k3s doctor")).stdout).toContain("npx proxmox-k3s recover");
    expect((await questions.run("npx proxmox-k3s status")).stdout).toContain(NEW);
    expect(await well(questions.run("npx proxmox-k3s preview"))).toContain(`${NEW} (VMID ${vmidOf(NEW)}): join`);
    expect(questions.next(1)).toEqual([]);

    const page = new PageCommands("docs/trouble.md", "## If `pulumi up` was interrupted", world);
    await well(page.run("pulumi cancel --yes"));
    await well(page.run("npx proxmox-k3s recover"));
    await well(page.run("pulumi up"));
    expect(page.next(1)).toEqual([]);
    expect(await ready()).toEqual([SERVER, WORKER, NEW]);
  });

  /** The first command that the page has for it. */
  function remedyFor(what: string): string[] {
    const page = fs.readFileSync(path.join(repo, "docs/trouble.md"), "utf8");
    const row = page.split("\n").find((line) => line.startsWith(`| ${what} `));
    const [, remedy = ""] = /^[^|]*\|[^|]*\| `(pulumi up[^`]*)`/.exec(row ?? "") ?? [];
    expect(remedy).not.toBe("");
    return remedy.split(" ").slice(1);
  }

  it.each([
    ["somebody stopped a container of ours", () => world.lab.host(`pct stop ${vmidOf(WORKER)}`)],
    ["somebody deleted a Node (`kubectl delete node`)", () => well(world.kubectl("delete", "node", WORKER))],
    ["somebody stopped K3s on a node", () => world.lab.inGuest(vmidOf(WORKER), "systemctl stop k3s-agent")],
  ])("%s: the command of the page", async (what, happens) => {
    await happens();
    await well(pulumi(...remedyFor(what), "--yes", "--skip-preview"));
    // A container that a refresh starts boots by itself.
    await eventually(90, async () => (await ready()).length === 3);
  });
});
