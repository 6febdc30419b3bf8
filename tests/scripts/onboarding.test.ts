import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";

import { ONBOARDING_STEPS, onboardingSteps, progressOf } from "../../plan/onboarding";
import { acknowledgement, readAnswer } from "../../remote/answer";
import { parseOnboarding } from "../../remote/askOnboarding";
import { CREATION, MARK, ScriptedHost } from "../support/scriptedHost";

/* The path of an onboarding report: written in a guest, read through the host. Guests are folders of this machine. */

const CLUSTER_ID = "0123456789abcdef";
const VMIDS = { 100: "k3s-1", 103: "k3s-worker-01", 104: "k3s-worker-02" };

let host: ScriptedHost;
const guest = (vmid: number): string => path.join(host.root, `guest-${vmid}`);
const statusOf = (vmid: number): string => path.join(guest(vmid), "status.json");

beforeEach(() => {
  host = new ScriptedHost();
  // What runs in a guest runs here, with the guest's folder as its root.
  host.pct(`if [ "$1" = status ]; then echo "status: running"; exit; fi
  vmid=$2; shift 3
  case "$*" in
    "sh -c report="*) exec sh -c "$(printf '%s' "$3" | sed "s|/opt/k3s-onboarding|${host.root}/guest-$vmid|; s|[^ ]*/started|${host.root}/guest-$vmid/started|")" ;;
    "sh -s"*) sed "s|/opt/k3s-onboarding|${host.root}/guest-$vmid|" >"${host.root}/script.$vmid"; shift 3; exec sh "${host.root}/script.$vmid" "$@" ;;
    *readyz*) exit 0 ;;
    *"get node node-1 "*jsonpath*conditions*) echo "True v1.36.3+k3s1 |x" ;;
    *"get pods"*) echo "coredns-1 1/1 Running" ;;
  esac`);
  const dir = path.join(host.root, "state", CLUSTER_ID);
  fs.mkdirSync(dir, { recursive: true });
  fs.writeFileSync(path.join(dir, "servers"), "100 k3s-1\n");
  fs.writeFileSync(path.join(dir, "mark"), MARK);
  for (const [vmid, name] of Object.entries(VMIDS)) {
    host.conf(Number(vmid), `#creation ${CREATION} of ${MARK}\nhostname: ${name}\nlxc.cap.drop:\n`);
    host.record("prepared", Number(vmid));
    fs.mkdirSync(guest(Number(vmid)));
  }
});

function ask() {
  const { code, outcome, output } = host.script("onboarding", "look", { CLUSTER_ID });
  expect([code, output]).toEqual([0, ""]);
  return parseOnboarding(
    readAnswer(
      "onboarding",
      "homelab-onboarding",
      "look",
      `${outcome}\n${acknowledgement("homelab-onboarding", "look")}\n`,
    ),
  );
}

/** A node reports, with its own scripts. */
function report(vmid: 100 | 103 | 104, ...words: string[]): void {
  const text = ["lib/task", "lib/progress"].map((part) => fs.readFileSync(`scripts/${part}.sh`, "utf8"));
  const script = [...text, `progress "$@"`].join("\n").replaceAll("/opt/k3s-onboarding", guest(vmid));
  const env = { PATH: process.env["PATH"], NAME: VMIDS[vmid], STEP: "x", WORK: "/none", RUNNER: String(process.pid) };
  expect(spawnSync("sh", ["-c", script, "sh", ...words], { env }).status).toBe(0);
}

test("the shell that writes the steps and the program that reads them have the same list", () => {
  const [, words = ""] = /^ONBOARDING_STEPS='(.*)'$/m.exec(fs.readFileSync("scripts/lib/progress.sh", "utf8")) ?? [];
  expect(words.split(" ")).toEqual(Object.keys(ONBOARDING_STEPS));
});

it("reads the report of each guest of ours, and shows that one has none", () => {
  report(100, "k3s_installed", "done", "K3s v1.36.3+k3s1");
  report(103, "packages_installed", "running", "installing jq");
  const reports = ask();
  expect([...reports.keys()]).toEqual(["k3s-1", "k3s-worker-01", "k3s-worker-02"]);
  expect(reports.get("k3s-1")!.k3s_installed).toMatchObject({ state: "done", message: "K3s v1.36.3+k3s1" });
  expect(reports.get("k3s-worker-01")).toMatchObject({
    packages_installed: { state: "running", time: expect.stringMatching(/Z$/) as string },
    k3s_installed: { state: "pending", time: undefined },
  });
  expect(reports.get("k3s-worker-02")).toBeUndefined();
});

it("recognizes a node that joined before there were reports, whatever a later step has reported", () => {
  for (const vmid of [100, 103, 104] as const) fs.writeFileSync(path.join(guest(vmid), "started"), "");
  report(103, "packages_installed", "done", "jq");
  report(104, "cluster_joined", "running", "k3s-agent runs");
  const reports = ask();
  expect([...reports.values()].map(progressOf)).toEqual(["done", "done", "unfinished"]);
  expect(reports.get("k3s-1")!.cluster_joined).toMatchObject({
    ...{ state: "skipped", message: "it has joined without a report of this step" },
  });
  expect(reports.get("k3s-worker-01")!.packages_installed).toMatchObject({ state: "done", message: "jq" });
});

it.each([
  ["no JSON", "hello"],
  ["unknown steps", `{"steps": {"a": 1}}`],
  ["an escape for a terminal", "\u001b[2J"],
  ["a message of an invalid form", undefined],
  ["a text that is too long", `{"steps": ${" ".repeat(10_000)}}`],
])("accepts no report with %s", (_, text) => {
  report(103, "k3s_installed", "done", "K3s");
  fs.writeFileSync(statusOf(103), text ?? fs.readFileSync(statusOf(103), "utf8").replace("K3s", "\\u001b[2J"));
  expect(ask().get("k3s-worker-01")).toBeUndefined();
});

it("sends no question to a guest that is not ours", () => {
  host.conf(104, "#my own\nhostname: k3s-worker-02\nlxc.cap.drop:\n");
  expect([...ask().keys()]).toEqual(["k3s-1", "k3s-worker-01"]);
});

describe("the step that waits for a node to be Ready", () => {
  const values = {
    CLUSTER_ID,
    VERSION: "v1.36.3+k3s1",
    LABELS: "tier=web",
    TAINTS: "",
    LONGHORN_DISKS: "",
    ETCD: "no",
    REPAIRS: "0",
  };
  beforeEach(() => {
    host.conf(103, `#creation ${CREATION} of ${MARK}\nhostname: node-1\nlxc.cap.drop:\n`);
    host.hurry();
  });
  const states = () => {
    const steps = ask().get("node-1")!;
    return onboardingSteps.map((step) => steps[step].state);
  };

  it("writes its progress into the guest's report", () => {
    report(103, "cluster_joined", "running", "waiting");
    expect(host.script("ready", "create", { ...values, TIMEOUT: "600" })).toMatchObject({ code: 0 });
    expect(states().slice(3)).toEqual(["done", "done", "done"]);
    expect(ask().get("node-1")!.health_check_ready.message).toBe(
      "Ready at v1.36.3+k3s1; kube-system pods ready: 1 of 1",
    );
  });

  it("reports its failure with its cause", () => {
    const { code } = host.script("ready", "create", { ...values, VERSION: "v1.36.4+k3s1", TIMEOUT: "100" });
    expect([code, states().slice(3)]).toEqual([1, ["failed", "pending", "pending"]]);
  });
});
