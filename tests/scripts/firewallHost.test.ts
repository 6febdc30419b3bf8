import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";

import { CREATION, MARK, ScriptedHost, type ScriptRun } from "../support/scriptedHost";

/*
 * What the Proxmox host keeps of the nodes' firewall, and which commands it sends to which node. The guests are a double that records
 * them; firewall.test.ts shows what a node does with them.
 */

const CLUSTER_ID = "0123456789abcdef";
const NODES = { 100: "k3s-master", 102: "k3s-worker-01", 103: "k3s-worker-02" } as const;
const ours = (name: string): string => `#creation ${CREATION} of ${MARK}\nhostname: ${name}\nlxc.cap.drop:\n`;
const line = (vmid: keyof typeof NODES, address: string): string =>
  `${vmid} ${NODES[vmid]} ${address} ${vmid === 100 ? "server" : "agent"}`;
const MASTER = line(100, "192.168.2.20");
const W1 = line(102, "192.168.2.21");
const W2 = line(103, "192.168.2.22");

let host: ScriptedHost;
const at = (file: string): string => path.join(host.root, file);
/** What a guest answers to a command. */
const says = (vmid: number, word: string, text: string): void => fs.writeFileSync(at(`${vmid}.${word}`), text);
const kept = (file: string): string => host.kept(`${CLUSTER_ID}/firewall/${file}`);
/** The rules that a guest got last. */
const sentTo = (vmid: number): string =>
  spawnSync("tar", ["-xOf", at(`${vmid}.tar`), "rules.nft"], { encoding: "utf8" }).stdout;
/** "VMID command" of each guest that got one, in their order. */
const told = ({ pct }: ScriptRun): string[] =>
  pct.flatMap((call) => {
    const [, vmid, word] = /^exec (\d+) -- sh -c .* sh (try|give|keep|off)\b/.exec(call) ?? [];
    return vmid === undefined ? [] : [`${vmid} ${word}`];
  });

beforeEach(() => {
  host = new ScriptedHost(`
    for word in $*; do :; done
    case "$*" in
      status*) if [ -e "$(dirname "$0")/../$2.stopped" ]; then echo "status: stopped"; else echo "status: running"; fi ;;
      *guest-firewall.sh*)
        cat >"$(dirname "$0")/../$2.tar"
        [ "$word" != 55 ] || word=try
        if [ -e "$(dirname "$0")/../$2.$word" ]; then . "$(dirname "$0")/../$2.$word"
        else case $word in try) echo tried ;; give) echo given ;; keep) echo kept ;; off) echo off ;; esac; fi ;;
    esac`);
  const dir = at(`state/${CLUSTER_ID}`);
  fs.mkdirSync(dir, { recursive: true });
  fs.writeFileSync(path.join(dir, "mark"), MARK);
  for (const [vmid, name] of Object.entries(NODES)) {
    host.conf(Number(vmid), ours(name));
    host.record("prepared", Number(vmid));
  }
});

const env = (...mesh: string[]) => ({ CLUSTER_ID, RULES: "the plan's rules", MESH: mesh.join("\n"), REPAIRS: "0" });
const trial = (...mesh: string[]): ScriptRun => host.script("firewall-trial", "update", env(...mesh));
const keep = (...mesh: string[]): ScriptRun => host.script("firewall", "update", env(...mesh));
/** Gives these nodes their rules, as a cluster that runs. */
function standing(...mesh: string[]): void {
  expect([trial(...mesh).code, keep(...mesh).code]).toEqual([0, 0]);
}

it("all nodes that run try the rules, and keep them once a connection from outside got through", () => {
  fs.writeFileSync(at("103.stopped"), "");
  const tried = trial(MASTER, W1, W2);
  expect([tried.code, told(tried).sort()]).toEqual([0, ["100 try", "102 try"]]);
  expect(tried.outcome).toBe("k3s-master 192.168.2.20\nk3s-worker-01 192.168.2.21");
  expect(sentTo(100)).toBe("the plan's rules\n");
  // Rules that are only tried are not recorded for the other nodes.
  expect(kept("rules.nft")).toBe("");
  const run = keep(MASTER, W1, W2);
  expect([run.code, told(run).sort(), kept("rules.nft")]).toEqual([0, ["100 keep", "102 keep"], "the plan's rules\n"]);
  // This step says so, because a person does not see the output of a trial.
  expect(run.output).toContain(
    "these nodes do not run, so they still have their former rules: k3s-worker-02. When they run again: pulumi up",
  );
});

it("the trial gives up on a node that hangs, in time to keep the rules of the others", () => {
  host.tool("timeout", `shift 3; case "$*" in *"exec 102 "*) exit 124 ;; esac; exec "$@"`);
  const run = trial(MASTER, W1);
  expect([run.code, run.outcome]).toEqual([0, "k3s-master 192.168.2.20"]);
  expect(fs.readFileSync(at("timeout"), "utf8")).toMatch(/^-k 5 20 pct exec 102 /m);
  expect(keep(MASTER, W1).output).toContain("still have their former rules: k3s-worker-01");
});

it("a node that leaves the plan, or gets another address, can still reach the others", () => {
  standing(MASTER, W1, W2);
  const moved = line(102, "192.168.2.41");
  const run = trial(MASTER, moved);
  // A node that leaves need not answer from outside: it may be broken, and leave for that reason.
  expect(run.outcome.split("\n")).toEqual([
    ...["k3s-master 192.168.2.20", "k3s-worker-01 192.168.2.21", "k3s-worker-01 192.168.2.41"],
  ]);
  expect(told(run).sort()).toEqual(["100 try", "102 try", "103 try"]);
  expect(sentTo(100)).toBe(
    [
      "the plan's rules",
      ...["21", "22"].flatMap((last) => [
        `add element inet k3smesh nodes { 192.168.2.${last} }`,
        `add element inet k3smesh agents { 192.168.2.${last} }`,
      ]),
      "",
    ].join("\n"),
  );
  says(103, "try", "echo 'error: no space left'; echo 'next: free some'; exit 1");
  expect(trial(MASTER, moved).code).toBe(0);
  // A node without a guest needs no access.
  fs.rmSync(at("etc/nodes/pve/lxc/103.conf"));
  expect(told(trial(MASTER, moved)).sort()).toEqual(["100 try", "102 try"]);
});

it("a node that moved can connect from its new address only, once its own step has finished", () => {
  standing(MASTER, W1);
  const moved = line(102, "192.168.2.41");
  standing(MASTER, moved);
  expect(sentTo(100)).toContain("192.168.2.21");
  const own = { CLUSTER_ID, VMID: "102", NAME: "k3s-worker-01", ADDRESS: "192.168.2.41" };
  says(102, "try", "echo unchanged");
  const tried = host.script("rules-trial", "update", own);
  expect([tried.code, tried.outcome, told(tried)]).toEqual([0, "", ["102 try"]]);
  const run = host.script("rules", "update", own);
  expect([run.code, told(run).sort()]).toEqual([0, ["100 give", "102 give", "102 keep"]]);
  expect([sentTo(100), kept("former")]).toEqual(["the plan's rules\n", ""]);
});

it("a server that became an agent counts as an agent for the others, once its own step has finished", () => {
  standing(MASTER, line(102, "192.168.2.21").replace("agent", "server"));
  standing(MASTER, W1);
  expect(sentTo(100)).toContain("add element inet k3smesh servers { 192.168.2.21 }");
  const own = { CLUSTER_ID, VMID: "102", NAME: "k3s-worker-01", ADDRESS: "192.168.2.21" };
  expect(host.script("rules", "update", own).code).toBe(0);
  expect([sentTo(100), kept("former")]).toEqual(["the plan's rules\n", ""]);
});

it.each([
  [
    "echo 'error: nft is not installed'; echo 'next: apt-get install -y nftables there'; exit 1",
    /k3s-worker-01: nft is not installed \(apt-get install -y nftables there\)/,
  ],
  ["printf 'error: a\\033[31mb\\n'; exit 1", /k3s-worker-01: a\[31mb/],
])("a node that refuses the rules is named, and nothing is kept: %s", (words, message) => {
  standing(MASTER, W1);
  says(102, "try", words);
  const run = trial(MASTER, W1, W2);
  expect([run.code, kept("nodes")]).toEqual([1, `${MASTER}\n${W1}\n`]);
  expect(run.output).toMatch(message);
  expect(run.output).toContain("these nodes refuse the rules, so all nodes keep their former ones");
});

it("the step fails if a node went back to its former rules in the meantime", () => {
  standing(MASTER, W1);
  trial(MASTER, W1, W2);
  says(102, "keep", "echo former");
  const run = keep(MASTER, W1, W2);
  expect([run.code, kept("nodes")]).toEqual([1, `${MASTER}\n${W1}\n`]);
  expect(run.output).toContain(
    "went back to their former rules, because the new ones were not confirmed in 55 s: k3s-worker-01",
  );
});

it("the firewall is switched off on every node, and is not done while one does not run", () => {
  standing(MASTER, W1, W2);
  fs.writeFileSync(at("103.stopped"), "");
  const off = (): ScriptRun => host.script("firewall", "delete", env(MASTER, W1, W2));
  const first = off();
  expect([first.code, told(first).sort()]).toEqual([1, ["100 off", "102 off"]]);
  expect(first.output).toContain("these nodes do not run, so they still have their firewall: k3s-worker-02");
  fs.rmSync(at("103.stopped"));
  says(102, "off", "echo 'error: no space left'; echo 'next: free some'; exit 1");
  expect(off().output).toContain(
    "these nodes still have their firewall:\n  - k3s-worker-01: no space left (free some)",
  );
  fs.rmSync(at("102.off"));
  expect([off().code, kept("rules.nft")]).toEqual([0, ""]);
});

it("a node that fails before it has its rules is named, and its output is shown without control characters", () => {
  standing(MASTER, W1);
  says(102, "try", "printf 'boot\\033[31mlog\\n'; exit 1");
  const own = { CLUSTER_ID, VMID: "102", NAME: "k3s-worker-01", ADDRESS: "192.168.2.21" };
  const run = host.script("rules-trial", "update", own);
  expect([run.code, run.output]).toEqual([1, expect.stringContaining("boot[31mlog\nsilent\n")]);
  expect(run.output).toContain("k3s-worker-01 (102) did not apply the rules of the firewall");
});

it("a foreign guest with a node's VMID gets no command", () => {
  host.conf(102, "hostname: theirs\n");
  expect(told(trial(MASTER, W1))).toEqual(["100 try"]);
});
