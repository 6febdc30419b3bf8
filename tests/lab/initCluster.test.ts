import * as fs from "node:fs";

import { PageCommands } from "../support/pageCommands";
import { InitLab } from "../support/initLab";
import { type Finished, finish } from "../support/lab";

/*
 * The first hour of a new user: a bare Proxmox host, `init`, `pulumi up`, a cluster of three Ready nodes, and the commands for
 * daily work with it. The commands are read from the pages. One lab; the tests build on each other.
 */

const world = new InitLab("first");
const { name, home } = world;
const pulumi = (...args: string[]): Promise<Finished> =>
  finish("pulumi", [...args, "--stack", name, "--non-interactive"], world.envAfter());
async function well(run: Promise<Finished>): Promise<string> {
  const { code, stdout, stderr } = await run;
  expect([code, code === 0 ? "" : stdout + stderr]).toEqual([0, ""]);
  return stdout;
}

beforeAll(() => world.up(), 40 * 60_000);
afterAll(() => world.down(), 120_000);
jest.setTimeout(600_000);

const first = new PageCommands("docs/first-cluster.md", "## The commands", world);
const nodes = new PageCommands("docs/nodes.md", "# Add and remove nodes", world);
const readyNodes = async (): Promise<string[]> => Object.keys(await world.readyNodes()).sort();
const named = (...ends: string[]): string[] => ends.map((end) => `${name}-${end}`);

it("the page about the first cluster leads to three Ready nodes and a working kubectl", async () => {
  // The lab's checkout already exists, with its packages.
  expect(first.next(2)).toEqual([
    "git clone URL-OF-THIS-REPOSITORY proxmox-k3s && cd proxmox-k3s",
    "npm ci --omit=dev",
  ]);
  await well(first.run("npx proxmox-k3s init root@HOST"));
  world.takeArtifactsFromTheLab();
  expect(await well(first.run("npx proxmox-k3s doctor"))).toMatch(/\n\d+ passed/);
  await well(first.run("pulumi preview"));
  expect(await well(first.run("pulumi up"))).toMatch(/all 3 nodes are Ready at K3s v/);
  const told = await well(first.run("npx proxmox-k3s kubeconfig --merge"));
  expect(told).toContain(`next:  kubectl --context ${name} get nodes`);
  expect(fs.statSync(`${home}/.kube/config`).mode & 0o777).toBe(0o600);
  expect(await well(first.run("kubectl get nodes"))).toMatch(/ Ready /);
  expect(first.next(1)).toEqual([]);
  expect(await readyNodes()).toEqual(named("control-1", "worker-1", "worker-2"));
});

it("ssh NODE runs a command on the node, as root", async () => {
  const told = await well(world.own("ssh", `${name}-worker-1`, "--stack", name, "--", "id", "-un", "&&", "hostname"));
  expect(told).toBe(`root\n${name}-worker-1\n`);
});

it("a second init leaves an existing cluster as it is", async () => {
  const { stdout } = await world.init("--yes");
  expect(stdout).not.toMatch(/^[+!] /m);
  expect(await well(pulumi("preview"))).toMatch(/\n\s+\d+ unchanged\n/);
});

it("the page about nodes adds one, removes a certain one, and rebuilds another", async () => {
  await well(nodes.run("npx proxmox-k3s scale worker 3"));
  await well(nodes.run("pulumi up"));
  expect(await readyNodes()).toEqual(named("control-1", "worker-1", "worker-2", "worker-3"));
  await well(nodes.run("npx proxmox-k3s node retire NODE", { NODE: `${name}-worker-1` }));
  await well(nodes.run("pulumi up"));
  expect(await readyNodes()).toEqual(named("control-1", "worker-2", "worker-3"));
  await well(nodes.run("npx proxmox-k3s node rebuild NODE", { NODE: `${name}-worker-2` }));
  expect(await readyNodes()).toEqual(named("control-1", "worker-2", "worker-3"));
  expect(nodes.next(1)).toEqual([]);
});

it("--undo refuses while the cluster has guests", async () => {
  const { code, stderr } = await world.init("--undo", "--yes");
  expect(code).toBe(1);
  expect(stderr).toMatch(
    /^error: the pool \S+ has guests: 200 211 212\nnext: {2}destroy the cluster first: pulumi destroy\n$/,
  );
});
