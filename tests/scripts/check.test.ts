import * as fs from "node:fs";
import * as path from "node:path";

import { acknowledgement, readAnswer } from "../../remote/answer";
import { type NodeFinding, parseChecks } from "../../remote/askChecks";
import { CREATION, MARK, ScriptedHost } from "../support/scriptedHost";

/* The checks of existing nodes, through the host. What runs in a guest runs on this machine, with doubles of the guest's network. */

const CLUSTER_ID = "0123456789abcdef";
const VMIDS = { 100: "k3s-1", 103: "k3s-worker-01", 104: "k3s-worker-02" };

let host: ScriptedHost;
const put = (name: string, text: string): void => fs.writeFileSync(path.join(host.root, name), text);

beforeEach(() => {
  host = new ScriptedHost();
  host.pct(`vmid=$2; shift 3
  case "$*" in
    *"$(cat "${host.root}/unanswered")"*) exit 1 ;;
  esac
  case "$*" in
    "sh -s") if [ -e "${host.root}/says.$vmid" ]; then cat "${host.root}/says.$vmid"; else exec sh -s; fi ;;
    *"get pods -A"*) cat "${host.root}/addresses" ;;
    *readyz*) [ ! -e "${host.root}/silent" ] ;;
    *"get pods"*) cat "${host.root}/pods" ;;
    *"get service kubernetes"*) echo 10.43.0.1 ;;
    *"get service kube-dns"*) cat "${host.root}/dns" ;;
  esac`);
  put(
    "addresses",
    [
      "k3s-1 192.168.2.20 Running true", // in the network of its host
      "k3s-1 10.42.0.9 Succeeded ",
      "k3s-1 10.42.0.2 Running ",
      "k3s-worker-01 10.42.1.2 Running ",
      "k3s-worker-02 10.42.2.2 Running ",
      "k3s-worker-02 10.42.2.3 Running ",
      "",
    ].join("\n"),
  );
  put("pods", "coredns-1   1/1   Running   0   1m\nhelm-1   0/1   Completed   0   1m\n");
  put("dns", "10.43.0.10\n");
  // The network of the guests.
  host.tool("ping", `for to; do :; done; ! grep -qxF "$to" "${host.root}/unreached"`);
  host.tool("bash", `[ "$4 $5" = "10.43.0.1 443" ] && [ ! -e "${host.root}/no-service" ]`);
  host.tool(
    "unshare",
    `for what; do :; done
  case $what in 10.43.0.1) echo "10.43.0.1 kubernetes.default.svc.cluster.local" ;; kubernetes.*) cat "${host.root}/answer" ;; esac`,
  );
  put("unanswered", "no such question");
  put("unreached", "");
  put("answer", "10.43.0.1 kubernetes.default.svc.cluster.local\n");
  const dir = path.join(host.root, "state", CLUSTER_ID);
  fs.mkdirSync(dir, { recursive: true });
  put(`state/${CLUSTER_ID}/servers`, "100 k3s-1\n");
  put(`state/${CLUSTER_ID}/mark`, MARK);
  for (const [vmid, name] of Object.entries(VMIDS)) {
    host.conf(Number(vmid), `#creation ${CREATION} of ${MARK}\nhostname: ${name}\nlxc.cap.drop:\n`);
    host.record("prepared", Number(vmid));
  }
});

function check(PHASE: "before" | "after"): readonly NodeFinding[] {
  const values = { ARCH: "amd64", NETWORKS: "10.42.0.0/16\n10.43.0.0/16", URL: "https://192.168.2.20:6443" };
  const { code, outcome, output } = host.script("check", "look", { CLUSTER_ID, PHASE, ...values });
  expect([code, output]).toEqual([0, ""]);
  const step = "homelab-check";
  return parseChecks(readAnswer("check", step, "look", `${outcome}\n${acknowledgement(step, "look")}\n`));
}
const failed = (findings: readonly NodeFinding[]) => findings.filter(({ level }) => level === "fail");

describe("after", () => {
  it("all is well: the pods, the pod network between all pairs, the service by its address and by its name", () => {
    const findings = check("after");
    expect(failed(findings)).toEqual([]);
    expect(findings[0]).toMatchObject({ node: undefined, check: "kube-system", seen: "1 pods, all ready" });
    for (const node of Object.values(VMIDS))
      expect(findings.filter((each) => each.node === node).map((each) => each.check)).toEqual([
        ...["pod-network", "service", "service-name"],
      ]);
  });

  it.each(["pods -A", "pods --no-headers", "service kubernetes", "service kube-dns"])(
    "says that not everything was checked if the API leaves a question without an answer: %s",
    (question) => {
      put("unanswered", question);
      expect(check("after")[0]).toMatchObject({
        ...{ node: undefined, level: "warn", check: "servers" },
        seen: "the API did not answer every question, so not everything was checked",
      });
    },
  );

  it("names the pair that does not reach each other", () => {
    put("unreached", "10.42.2.2\n");
    expect(failed(check("after")).map(({ node, seen }) => [node, seen])).toEqual([
      ["k3s-1", "it does not reach pods on these nodes: k3s-worker-02"],
      ["k3s-worker-01", "it does not reach pods on these nodes: k3s-worker-02"],
    ]);
  });

  it.each([
    [
      "a pod that is not ready",
      () => put("pods", "coredns-1   0/1   Running   0   1m\n"),
      "kube-system",
      "these pods are not ready: coredns-1",
    ],
    [
      "a service that does not answer",
      () => put("no-service", ""),
      "service",
      "it does not reach the service kubernetes at 10.43.0.1:443",
    ],
    [
      "a DNS that answers with another address",
      () => put("answer", "10.43.9.9 kubernetes\n"),
      "service-name",
      "the cluster's DNS at 10.43.0.10 does not name the service kubernetes",
    ],
    ["no API", () => put("silent", ""), "servers", "no server of the cluster answers"],
  ])("fails at %s, with a remedy", (_, spoil, name, seen) => {
    spoil();
    const [first] = failed(check("after"));
    expect(first).toMatchObject({ check: name, seen, remedy: expect.stringMatching(/./) as string });
  });

  it("does not check DNS in a cluster that has none", () => {
    put("dns", "");
    expect(check("after").filter((each) => each.check === "service-name")).toEqual([]);
  });
});

describe("before", () => {
  it("runs on each guest the checks that pulumi up runs before it touches K3s", () => {
    const findings = check("before");
    // This machine has none of the nodes' names.
    expect(
      failed(findings)
        .filter((each) => each.check === "host-name")
        .map(({ node }) => node),
    ).toEqual(Object.values(VMIDS));
    expect(findings.map((each) => each.check)).toEqual(expect.arrayContaining(["disk", "memory", "route"]));
  });
});

describe("a node's output", () => {
  it.each([
    ["adds no line about another node", "ok\tdisk\tfine\t\nk3s-1\tfail\tdisk\tforged\tx\n"],
    ["has no control characters for a terminal", "ok\tdisk\tfine\u001b[2J\u009b2J\t\n"],
  ])("%s", (_, says) => {
    put("says.103", says);
    const findings = check("before").filter((each) => each.node === "k3s-worker-01");
    expect(findings).toEqual([
      { node: "k3s-worker-01", level: "ok", check: "disk", seen: expect.stringMatching(/^[ -~]+$/) as string },
    ]);
    expect(check("before").some(({ seen }) => seen === "forged")).toBe(false);
  });

  it("counts as no answer if it has no finding", () => {
    put("says.103", "sh: not found\n");
    expect(check("before")).toContainEqual(
      expect.objectContaining({ node: "k3s-worker-01", level: "warn", seen: "it did not answer" }) as NodeFinding,
    );
  });
});
