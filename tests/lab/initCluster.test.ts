import * as fs from "node:fs";
import { parseDocument } from "yaml";

import { artifactHost, findLab } from "../../lab/lab";
import { InitLab } from "../support/initLab";
import { type Finished, finish } from "../support/lab";

/*
 * The first hour of a new user: a bare Proxmox host, `init`, `pulumi up`, and a cluster of three Ready nodes that the words for daily
 * work reach. One lab; the tests build on each other.
 */

const world = new InitLab("first");
const { name, home, stackFile } = world;
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

/** The lab has no internet: its K3s comes from its own server, and nothing is pulled. */
function takeArtifactsFromTheLab(): void {
  const { k3s } = findLab(world.lab.name)!;
  const doc = parseDocument(fs.readFileSync(stackFile, "utf8"));
  const cluster = ["config", "proxmox-k3s:cluster"];
  doc.setIn([...cluster, "version"], k3s.version);
  doc.setIn([...cluster, "k3s"], {
    artifacts: {
      baseUrl: `http://${artifactHost}:8080/k3s`,
      ...{ sha256: { amd64: k3s.sha256 }, airgapImages: true, imagesSha256: { amd64: k3s.imagesSha256 } },
    },
    disable: ["coredns", "servicelb", "traefik", "local-storage", "metrics-server"],
  });
  fs.writeFileSync(stackFile, doc.toString({ lineWidth: 0 }));
}

it("three commands end with three Ready nodes", async () => {
  await well(world.init("--yes"));
  takeArtifactsFromTheLab();
  expect(await well(pulumi("up", "--yes", "--skip-preview"))).toMatch(/all 3 nodes are Ready at K3s v/);
});

it("kubeconfig --merge makes the context that it names, and kubectl reaches the cluster by it", async () => {
  const told = await well(world.own("kubeconfig", "--merge", "--stack", name));
  expect(told).toContain(`next:  kubectl --context ${name} get nodes`);
  const file = `${home}/.kube/config`;
  expect(fs.statSync(file).mode & 0o777).toBe(0o600);
  const env = { ...world.envAfter(), KUBECONFIG: file };
  const nodes = await well(finish("kubectl", ["--context", name, "get", "nodes", "-o", "name"], env));
  expect(nodes.trim().split("\n").sort()).toEqual(
    [`node/${name}-control-1`, `node/${name}-worker-1`, `node/${name}-worker-2`].sort(),
  );
});

it("ssh NODE runs a command there, as root", async () => {
  const told = await well(world.own("ssh", `${name}-worker-1`, "--stack", name, "--", "id", "-un", "&&", "hostname"));
  expect(told).toBe(`root\n${name}-worker-1\n`);
});

it("init again leaves a cluster that stands as it is", async () => {
  const { stdout } = await world.init("--yes");
  expect(stdout).not.toMatch(/^[+!] /m);
  expect(await well(pulumi("preview"))).toMatch(/\n\s+\d+ unchanged\n/);
});

it("--undo refuses while the cluster has guests", async () => {
  const { code, stderr } = await world.init("--undo", "--yes");
  expect(code).toBe(1);
  expect(stderr).toMatch(
    /^error: the pool \S+ has guests: 200 210 211\nnext: {2}destroy the cluster first: pulumi destroy\n$/,
  );
});
