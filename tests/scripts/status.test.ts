import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";

import { parseCluster } from "../../remote/askCluster";
import { acknowledgement, readAnswer } from "../../remote/answer";
import { taskText } from "../../remote/script";
import { jsonPath } from "../support/doubles/jsonPath";
import { CREATION, MARK, ScriptedHost } from "../support/scriptedHost";

/* The cluster's status: from the guests' answers on the host to what the command reads of them. */

const CLUSTER_ID = "0123456789abcdef";
const NAMES: Readonly<Record<number, string>> = { 100: "k3s-1", 101: "k3s-2", 102: "k3s-3" };
/** Its private key is not kept. */
const CERTIFICATE = fs.readFileSync(path.join(__dirname, "../fixtures/certificate.pem"), "utf8");

let host: ScriptedHost;
/** What a guest answers, by VMID and question. */
const say = (vmid: number, what: "readyz" | "facts" | "nodes", text: string): void =>
  fs.writeFileSync(path.join(host.root, `${vmid}.${what}`), text);

beforeEach(() => {
  // A guest without an answer to a question fails.
  host = new ScriptedHost();
  host.pct(`case "$*" in
    *readyz) exec cat "${host.root}/$2.readyz" ;;
    *"get nodes -o"*) exec cat "${host.root}/$2.nodes" ;;
    *"sh -c"*) exec cat "${host.root}/$2.facts" ;;
  esac`);
  const dir = path.join(host.root, "state", CLUSTER_ID);
  fs.mkdirSync(dir, { recursive: true });
  fs.writeFileSync(path.join(dir, "servers"), "100 k3s-1\n101 k3s-2\n");
  fs.writeFileSync(path.join(dir, "former"), "102 k3s-3\n");
  fs.writeFileSync(path.join(dir, "mark"), MARK);
  for (const vmid of [100, 101, 102]) {
    host.conf(vmid, `#creation ${CREATION} of ${MARK}\nhostname: ${NAMES[vmid]}\nlxc.cap.drop:\n`);
    host.record("prepared", vmid);
  }
});

function status() {
  const run = host.script("status", "look", { CLUSTER_ID, RUN: "2\nk3s-1\nk3s-4" });
  expect([run.code, run.output]).toEqual([0, ""]);
  const stdout = `${run.outcome}\n${acknowledgement("homelab-status", "look")}\n`;
  return { pct: run.pct, ...parseCluster(readAnswer("status", "homelab-status", "look", stdout)) };
}

const [, TEMPLATE = ""] = /-o 'jsonpath=(\{range \.items\[\*\]\}node[^']*)'/.exec(taskText("status")) ?? [];
/** The output of kubectl. */
const nodes = (...items: unknown[]): string => jsonPath(TEMPLATE, { items });
const NODE = {
  metadata: {
    name: "k3s-1",
    labels: { "node-role.kubernetes.io/etcd": "true", tier: "web" },
    annotations: { "etcd.k3s.cattle.io/node-name": "k3s-1-5f3a9c1e" },
  },
  spec: { unschedulable: true, taints: [{ key: "only", value: "web", effect: "NoSchedule" }] },
  status: {
    nodeInfo: { kubeletVersion: "v1.36.3+k3s1" },
    addresses: [
      { type: "InternalIP", address: "192.168.2.20" },
      { type: "Hostname", address: "k3s-1" },
    ],
    conditions: [{ type: "Ready", status: "True" }],
  },
};

it("asks every server for its state, and the first that answers for the Nodes", () => {
  say(101, "readyz", "ok");
  say(101, "nodes", nodes(NODE));
  const { servers, nodes: listed, pct } = status();
  expect(servers).toEqual([
    { vmId: 100, name: "k3s-1", answers: false },
    { vmId: 101, name: "k3s-2", answers: true },
    { vmId: 102, name: "k3s-3", answers: false },
  ]);
  expect(listed).toEqual([
    {
      ...{ name: "k3s-1", isReady: true, version: "v1.36.3+k3s1", isCordoned: true, isMember: true },
      ...{ labels: NODE.metadata.labels, taints: ["only=web:NoSchedule"], addresses: ["192.168.2.20"] },
    },
  ]);
  expect(pct.filter((call) => call.includes("get nodes"))).toEqual([
    expect.stringMatching(/^exec 101 -- k3s kubectl get nodes -o /),
  ]);
});

it("records the plan that an `up` sends, for the removal script, also if it is the same again", () => {
  status();
  status();
  const kept = path.join(host.root, "state", CLUSTER_ID, "run");
  expect([fs.readFileSync(kept, "utf8"), fs.statSync(kept).mode & 0o777]).toEqual(["2\nk3s-1\nk3s-4\n", 0o600]);
});

it("if no server answers, it says so and does not fail", () => {
  const { servers, nodes: listed } = status();
  expect(servers.map(({ answers }) => answers)).toEqual([false, false, false]);
  expect(listed).toBeUndefined();
});

it("reads certificates and members, and which nodes a removal has cordoned", () => {
  const base64 = CERTIFICATE.replace(/-----.*-----|\n/g, "");
  say(100, "readyz", "ok");
  say(100, "nodes", nodes());
  say(100, "facts", `member\nadmin ${base64}\nserving bm90IGEgY2VydGlmaWNhdGU=\n`);
  fs.mkdirSync(path.join(host.root, "state", CLUSTER_ID, "leaving"));
  fs.writeFileSync(path.join(host.root, "state", CLUSTER_ID, "leaving/k3s-worker-01"), "");
  expect(status()).toMatchObject({
    nodes: [],
    withEtcd: ["k3s-1"],
    certificates: [
      { server: "k3s-1", use: "admin", ends: new Date("2036-11-25T22:25:12Z") },
      { server: "k3s-1", use: "serving", ends: undefined },
    ],
    leaving: ["k3s-worker-01"],
  });
});

it("says of each guest of ours whether its K3s runs, except of a guest that starts", () => {
  for (const [vmid, name] of [
    [103, "k3s-worker-01"],
    [104, "k3s-worker-02"],
    [105, "k3s-worker-03"],
  ] as const) {
    host.conf(vmid, `#creation ${CREATION} of ${MARK}\nhostname: ${name}\nlxc.cap.drop:\n`);
    host.record("prepared", vmid);
  }
  host.conf(106, "#not ours\nhostname: nas\nlxc.cap.drop:\n");
  say(100, "facts", "k3s runs\nmember\n");
  say(103, "facts", "k3s stopped\n");
  // An agent is no etcd member, and its text about others does not count.
  say(104, "facts", "k3s changing\nmember\nk3s k3s-master stopped\n");
  const seen = status();
  expect(seen.k3s).toEqual([
    { node: "k3s-1", runs: true },
    { node: "k3s-worker-01", runs: false },
  ]);
  expect(seen.withEtcd).toEqual(["k3s-1"]);
  expect(seen.pct.filter((call) => call.startsWith("exec 106 "))).toEqual([]);
});

it("says which guests run without the latest rules of their firewall, if there are any", () => {
  const facts = (sum: string): string => `k3s runs\nfirewall ${sum}\n`;
  const dir = path.join(host.root, "state", CLUSTER_ID, "firewall");
  say(100, "facts", facts("none"));
  expect(status().oldFirewall).toEqual([]);
  fs.mkdirSync(dir);
  fs.writeFileSync(path.join(dir, "rules.nft"), "the rules\n");
  say(101, "facts", facts(createHash("sha256").update("the rules\n").digest("hex")));
  say(102, "facts", facts("0".repeat(64)));
  expect(status().oldFirewall).toEqual(["k3s-1", "k3s-3"]);
});

describe("whether K3s runs, by the guest's answer", () => {
  const [, text = ""] = /^K3S='([^']*)'/m.exec(taskText("status")) ?? [];

  /** @param units what systemd says of the units, and of itself */
  function told(units: Readonly<Record<string, string>>, system = "running", started = true): string {
    const bin = path.join(host.root, "bin");
    const cases = Object.entries(units).map(([unit, word]) => `"is-active ${unit}") echo ${word} ;;`);
    const body = `case "$*" in ${cases.join(" ")} is-system-running) echo ${system} ;; *) echo inactive; exit 3 ;; esac`;
    fs.writeFileSync(path.join(bin, "systemctl"), `#!/bin/sh\n${body}\n`, { mode: 0o755 });
    const stamp = path.join(host.root, "started");
    if (started) fs.writeFileSync(stamp, "");
    const script = text.replace("/var/lib/proxmox-k3s/started", stamp);
    const env = { PATH: `${bin}:${process.env["PATH"]}` };
    return spawnSync("sh", ["-euc", script], { encoding: "utf8", env }).stdout.trim();
  }

  it.each([
    ["an agent that runs", "k3s runs", told.bind(null, { "k3s-agent": "active" })],
    ["a server that runs", "k3s runs", told.bind(null, { k3s: "active" })],
    ["a unit that somebody stopped", "k3s stopped", told.bind(null, { "k3s-agent": "inactive" })],
    ["one that failed", "k3s stopped", told.bind(null, { k3s: "failed" })],
    ["one that waits for its server", "k3s changing", told.bind(null, { "k3s-agent": "activating" })],
    ["a guest that boots", "k3s changing", told.bind(null, { "k3s-agent": "inactive" }, "starting")],
    ["a guest without K3s", "", told.bind(null, {}, "running", false)],
  ])("%s: %j", (_, words, tell) => expect(tell()).toBe(words));
});

it("sends no question to a foreign guest on a server's VMID", () => {
  host.conf(100, "#my own cluster\nhostname: k3s-1\n");
  expect(status().pct.filter((call) => call.startsWith("exec 100 "))).toEqual([]);
});

describe("a node's output", () => {
  beforeEach(() => say(100, "readyz", "ok"));

  it("is only about that node: it cannot add a line about another one", () => {
    const forged = "v1\nnode\tk3s-2\t\t\t\t\t\t\nleaving\tk3s-2\n";
    const metadata = { ...NODE.metadata, annotations: { x: forged } };
    const evil = { ...NODE, metadata, status: { ...NODE.status, nodeInfo: { kubeletVersion: forged } } };
    say(100, "nodes", nodes(evil));
    const { nodes: listed, leaving } = status();
    expect(listed).toEqual([expect.objectContaining({ name: "k3s-1", version: undefined })]);
    expect(leaving).toEqual([]);
  });

  it("from its disk is only about that node, too", () => {
    say(100, "nodes", "");
    say(100, "facts", "member\nmember k3s-2\nserver\t101\tk3s-2\tanswers\nadmin $(id)\nserving A'B\nthrough\t101\n");
    const seen = status();
    expect([seen.withEtcd, seen.certificates]).toEqual([["k3s-1"], []]);
    expect(seen.servers.filter(({ answers }) => answers)).toEqual([{ vmId: 100, name: "k3s-1", answers: true }]);
  });

  it.each([
    ["an address", { addresses: [{ type: "InternalIP", address: "1.2.3.4; reboot" }] }, { addresses: [] }],
    ["a version", { nodeInfo: { kubeletVersion: "<b>v1</b>" } }, { version: undefined }],
    [
      "two states at once",
      {
        conditions: [
          { type: "Ready", status: "True" },
          { type: "Ready", status: "False" },
        ],
      },
      { isReady: false },
    ],
    [
      "nothing",
      { nodeInfo: undefined, addresses: undefined, conditions: undefined },
      { isReady: false, version: undefined },
    ],
  ])("%s of an invalid form is left out", (_, itsStatus, read) => {
    say(100, "nodes", nodes({ ...NODE, status: { ...NODE.status, ...itsStatus } }));
    expect(status().nodes).toEqual([expect.objectContaining(read)]);
  });

  it.each(["../../etc", "K3S", "a b", "$(id)", "x".repeat(254)])("a Node with the name %j is left out", (name) => {
    say(100, "nodes", nodes({ ...NODE, metadata: { ...NODE.metadata, name } }));
    expect(() => status()).toThrow("the Proxmox host answered with a line that is no node");
  });
});

it("if the API answers but cannot list, the error has the command for its journal", () => {
  say(100, "readyz", "ok");
  const run = host.script("status", "look", { CLUSTER_ID, RUN: "" });
  expect(run.code).toBe(1);
  expect(run.output).toContain(
    "the API of the server 100 did not list its Nodes\nnext:  pct exec 100 -- journalctl -u k3s",
  );
});
