import { spawn, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

import { nodeNamed, replace } from "../../../cli/daily/apply";
import { sshArguments } from "../../../cli/daily/ssh";
import { scaled, withoutNode } from "../../../cli/daily/stackEdit";
import { clusterInText } from "../../../cli/preview/former";
import { loadPlan } from "../../../plan/load";
import type { ClusterPlan } from "../../../plan/model";
import { newKeyPair } from "../../support/sshKeys";

/* The commands for daily work change a stack file as a person would: only the lines that the change is about. */

const repo = path.join(__dirname, "../../..");
const read = (file: string): string => fs.readFileSync(path.join(repo, file), "utf8");
const homelab = read("Pulumi.homelab.yaml");
const planOf = (text: string): ClusterPlan => loadPlan(clusterInText("it", () => text));

/** The removed and the added lines. */
function changes(before: string, after: string): string[] {
  const [was, is] = [before.split("\n"), after.split("\n")];
  return [
    ...was.filter((line) => !is.includes(line)).map((line) => `- ${line.trim()}`),
    ...is.filter((line) => !was.includes(line)).map((line) => `+ ${line.trim()}`),
  ];
}
const retire = (text: string, name: string): string => {
  const plan = planOf(text);
  return withoutNode(text, nodeNamed(name, plan), plan.nodes);
};

describe.each(["Pulumi.homelab.yaml", "Pulumi.mixed.yaml"])("%s", (file) => {
  it("scaling changes one line, and keeps all comments and secrets", () => {
    const secret = `  proxmox-k3s:proxmoxApiToken:\n    secure: v1:${"A".repeat(300)}=\n`;
    const text = `${read(file)}${secret}encryptionsalt: v1:abc\n`;
    expect(changes(text, scaled(text, "worker", 7))).toEqual(["- count: 2", "+ count: 7"]);
    expect(planOf(scaled(text, "worker", 7)).nodes.filter(({ pool }) => pool === "worker")).toHaveLength(7);
  });
});

describe("a node is retired", () => {
  const three = scaled(homelab, "worker", 3);

  it("by its index and a lower count: the others keep name, VMID and address", () => {
    const after = retire(three, "k3s-worker-01");
    expect(changes(three, after)).toEqual(["- count: 3", "+ retired: [1]", "+ count: 2"]);
    const identity = (plan: ClusterPlan) => plan.nodes.map(({ name, vmId, address }) => `${name} ${vmId} ${address}`);
    expect(identity(planOf(after))).toEqual(
      identity(planOf(three)).filter((line) => !line.startsWith("k3s-worker-01")),
    );
    const again = retire(after, "k3s-worker-02");
    expect(changes(after, again)).toEqual(["- retired: [1]", "- count: 2", "+ retired: [1, 2]"]);
    expect(planOf(again).nodes.map(({ name }) => name)).toEqual(["k3s-master", "k3s-worker-03"]);
  });

  it("and replaced by one with the next index, as one of three servers must be", () => {
    const servers = scaled(homelab, "master", 3)
      .replace("vmIds: { from: 100 }", "vmIds: [100, 110, 111, 112]")
      .replace("from: 192.168.2.20", "from: 192.168.2.40");
    const plan = planOf(servers);
    const names = plan.servers.map(({ name }) => name);
    const after = withoutNode(servers, plan.servers[1]!, plan.nodes, true);
    expect(changes(servers, after)).toEqual(["+ retired: [2]"]);
    expect(planOf(after).servers.map(({ name, vmId }) => `${name} ${vmId}`)).toEqual([
      ...[`${names[0]} 100`, `${names[2]} 111`, "homelab-master-4 112"],
    ]);
  });

  it("by the count alone if it is the pool's last", () => {
    expect(changes(three, retire(three, "k3s-worker-03"))).toEqual(["- count: 3", "+ count: 2"]);
  });
});

it("a pool in one line, with a comment after it, and without a count", () => {
  const pool = (line: string): string => `config:\n  proxmox-k3s:cluster:\n    pools:\n      a: ${line} # mine\n`;
  expect(scaled(pool("{ role: agent, count: 1 }"), "a", 3)).toBe(pool("{ role: agent, count: 3 }"));
  expect(scaled(pool("{ role: agent }"), "a", 3)).toBe(pool("{ count: 3, role: agent }"));
});

describe("a list of retired nodes keeps its form and its comments", () => {
  const three = scaled(homelab, "worker", 3).replace("count: 3", "count: 4");
  const withRetired = (lines: string): string =>
    three.replace(/^( +)count: 4/m, `$1${lines.replaceAll("\n", "\n$1")}\n$1count: 4`);

  it.each([
    ["one a line", "retired:\n  # the first\n  - 2 # broken disk\n# the number", "- 2 # broken disk", "- 1"],
    ["in one line", "retired: [2] # broken disk", "retired: [2, 1] # broken disk", undefined],
    ["over several lines", "retired: [\n  2, # broken disk\n  9 # never\n]", "9, 1 # never", undefined],
    ["empty", "retired: [] # none", "retired: [1] # none", undefined],
  ])("%s", (_, lines, line, further) => {
    const before = withRetired(lines);
    const after = retire(before, "k3s-worker-01");
    expect(after).toContain(line);
    expect(changes(before, after).filter((change) => change.startsWith("+"))).toEqual([
      ...(before.includes(line) ? [] : [`+ ${line}`]),
      ...(further === undefined ? [] : [`+ ${further}`]),
      "+ count: 3",
    ]);
    expect(planOf(after).nodes.map(({ name }) => name)).not.toContain("k3s-worker-01");
  });

  it("a count without a value gets one; a count that is written elsewhere does not change", () => {
    const pool = (count: string): string =>
      `config:\n  proxmox-k3s:cluster:\n    pools:\n      a:\n        count:${count}\n`;
    expect(scaled(pool(""), "a", 3)).toBe(pool(" 3"));
    expect(scaled(pool(" # mine"), "a", 3)).toBe(pool(" 3 # mine"));
    expect(() => scaled(`x: &n 2\n${pool(" *n")}`, "a", 3)).toThrow(/count as a reference to another place\nnext: /);
  });
});

it("a stack file that changed while the command waited for an answer is not overwritten", () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "daily-"));
  const file = path.join(folder, "Pulumi.a.yaml");
  fs.writeFileSync(file, "changed by another\n");
  expect(() => replace(file, "read before\n", "ours\n")).toThrow(
    /^Pulumi\.a\.yaml has changed in the meantime.*\nnext: /,
  );
  expect(fs.readFileSync(file, "utf8")).toBe("changed by another\n");
  replace(file, "changed by another\n", "ours\n");
  expect([fs.readFileSync(file, "utf8"), fs.readdirSync(folder)]).toEqual(["ours\n", ["Pulumi.a.yaml"]]);
  fs.rmSync(folder, { recursive: true });
});

it("an unknown pool or node is named, with the existing ones", () => {
  expect(() => scaled(homelab, "wroker", 3)).toThrow(/no pool wroker\nnext: {2}name one of its pools: master, worker/);
  expect(() => nodeNamed("k3s-worker-3", planOf(homelab))).toThrow(/no node k3s-worker-3\nnext: .*k3s-worker-01/);
});

it("ssh gets files that only the person can read, the node's host key, and no secret in an argument", () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "daily-"));
  const { private: nodeKey, public: hostKey } = newKeyPair();
  const args = sshArguments({ folder, address: "192.168.2.21", hostKey, nodeKey }, ["uptime"]);
  expect(args.slice(-2)).toEqual(["root@192.168.2.21", "uptime"]);
  expect(args.join(" ")).not.toContain("PRIVATE KEY");
  const key = args[args.indexOf("-i") + 1]!;
  expect(fs.statSync(key).mode & 0o777).toBe(0o600);
  // OpenSSH itself reads the file.
  expect(spawnSync("ssh-keygen", ["-y", "-f", key], { encoding: "utf8" }).stdout.split(/\s/)[1]).toBe(
    hostKey.split(" ")[1],
  );
  const found = spawnSync("ssh-keygen", ["-F", "192.168.2.21", "-f", path.join(folder, "known-hosts")], {
    encoding: "utf8",
  });
  expect(found.stdout).toContain(hostKey.split(" ")[1]!);
  fs.rmSync(folder, { recursive: true });
});

it.each([
  ["SIGINT", 130],
  ["SIGTERM", 143],
  ["SIGHUP", 129],
] as const)("ssh exits at %s, and leaves no key behind", async (signal, code) => {
  const scratch = fs.mkdtempSync(path.join(os.tmpdir(), "daily-"));
  fs.writeFileSync(path.join(scratch, "ssh"), "#!/bin/sh\necho started\nexec sleep 60\n", { mode: 0o755 });
  fs.mkdirSync(path.join(scratch, "tmp"));
  const run = `require("./cli/daily/ssh.ts").openSession({ address: "a", hostKey: "b", nodeKey: "c" }, []).then((code) => { process.exitCode = code })`;
  const env = { ...process.env, PATH: `${scratch}:${process.env["PATH"]}`, TMPDIR: path.join(scratch, "tmp") };
  const child = spawn(process.execPath, ["--import", "tsx", "-e", run], {
    cwd: repo,
    env,
    stdio: ["ignore", "pipe", "inherit"],
  });
  const ended = new Promise((resolve) => child.once("exit", resolve));
  await new Promise((resolve) => child.stdout.once("data", resolve));
  const folders = (): string[] => fs.readdirSync(env.TMPDIR).filter((name) => name.startsWith("proxmox-k3s-"));
  expect(folders()).toHaveLength(1);
  child.kill(signal);
  expect(await ended).toBe(code);
  expect(folders()).toEqual([]);
  fs.rmSync(scratch, { recursive: true });
});
