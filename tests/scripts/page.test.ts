import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

import { taskFiles } from "../../remote/script";
import { CREATION, MARK, ScriptedHost } from "../support/scriptedHost";

/* The page that a node shows while it joins: a real `sh` answers, started as systemd starts it for each connection. */

const scratch = fs.mkdtempSync(path.join(os.tmpdir(), "page-"));
afterAll(() => fs.rmSync(scratch, { recursive: true }));

let root: string;
const file = (name: string): string => path.join(root, name);
const calls = (): string[] =>
  fs.existsSync(file("calls")) ? fs.readFileSync(file("calls"), "utf8").trim().split("\n") : [];

beforeEach(() => {
  root = fs.mkdtempSync(path.join(scratch, "node-"));
  for (const dir of ["bin", "work"]) fs.mkdirSync(file(dir));
  for (const name of ["systemctl", "systemd-run"])
    fs.writeFileSync(
      file(`bin/${name}`),
      `#!/bin/sh\necho "${name} $*" >>"${root}/calls"\n[ "$1" != start ] || [ ! -e "${root}/taken" ]\n`,
      { mode: 0o755 },
    );
  for (const [name, text] of Object.entries(taskFiles("page")))
    fs.writeFileSync(file(`work/${name}`), `${text.replaceAll("/run/systemd/system", file("units"))}\n`);
});

/** @param text what runs in the node: the host's script for it, or only a report */
function run(text: string, ACTION = "create"): { status: number | null; said: string } {
  const script = text
    .replaceAll("/run/proxmox-k3s-page", file("sent"))
    .replaceAll("/opt/k3s-onboarding", file("opt"))
    .replaceAll("/run/systemd/system", file("units"))
    .replaceAll("/var/lib/proxmox-k3s", file("state"));
  const args = ["-c", script, "sh", ACTION, "node-1", "192.168.2.21"];
  const { status, stdout, stderr } = spawnSync("sh", args, {
    encoding: "utf8",
    env: { PATH: `${file("bin")}:${process.env["PATH"]}`, WORK: file("work"), NAME: "node-1" },
  });
  return { status, said: (stdout + stderr).trim() };
}
/** Each run uses up what the host sends. */
function guestPage(ACTION: string) {
  fs.cpSync(file("work"), file("sent"), { recursive: true });
  const end = run(fs.readFileSync(file("work/guest-page.sh"), "utf8"), ACTION);
  expect(fs.existsSync(file("sent"))).toBe(false);
  return end;
}
const show = () => guestPage("create");
const report = (words: string) =>
  run(
    [
      ...["lib/task", "lib/progress"].map((part) => fs.readFileSync(`scripts/${part}.sh`, "utf8")),
      `progress ${words}`,
    ].join("\n"),
  );

/** The response to a request. */
function ask(request: string): { head: string; body: string } {
  const input = `${request} HTTP/1.1\r\nHost: 192.168.2.21:8080\r\nAccept: */*\r\n\r\n`;
  const { stdout } = spawnSync("sh", [file("opt/view.sh")], { input, encoding: "utf8" });
  const [head = "", ...body] = stdout.split("\r\n\r\n");
  return { head, body: body.join("\r\n\r\n") };
}

it("listens only on the node's address, as the user nobody, in units that a restart removes", () => {
  expect(show()).toEqual({ status: 0, said: "the progress of node-1 is at http://192.168.2.21:8080/" });
  const socket = fs.readFileSync(file("units/k3s-onboarding.socket"), "utf8");
  // Without this, a limit of systemd would close the page for good.
  for (const line of ["ListenStream=192.168.2.21:8080", "TriggerLimitIntervalSec=0"])
    expect(socket).toContain(`\n${line}\n`);
  const service = fs.readFileSync(file("units/k3s-onboarding@.service"), "utf8");
  for (const line of ["User=nobody", "NoNewPrivileges=yes", "RuntimeMaxSec=10"])
    expect(service).toContain(`\n${line}\n`);
  expect(calls()).toEqual(["systemctl daemon-reload", "systemctl start k3s-onboarding.socket"]);
});

it("shows every step, reloads itself, and follows the browser's light or dark setting", () => {
  show();
  report(`k3s_installed done "K3s v1.36.3+k3s1" cluster_joined failed "no server answered"`);
  const { head, body } = ask("GET /");
  expect(head).toMatch(/^HTTP\/1\.1 200 OK\r\nContent-Type: text\/html; charset=utf-8\r\n/);
  expect(head).toContain("Content-Security-Policy: default-src 'none'");
  expect(body).toContain("<h1>node-1</h1>");
  expect(body).toContain("prefers-color-scheme: dark");
  expect(body).toContain('http-equiv="refresh"');
  expect(body).not.toMatch(/<script|<link|<img|src=|url\(|@import/);
  const rows = [...body.matchAll(/<tr><td>(\w+)<\/td><td class="state (\w+)">(\w+)<\/td>/g)].map(([, ...words]) =>
    words.join(" "),
  );
  expect(rows).toEqual([
    "packages_installed skip pending",
    "iscsi_enabled skip pending",
    "k3s_installed ok done",
    "cluster_joined fail failed",
    "node_labeled skip pending",
    "health_check_ready skip pending",
  ]);
});

it("takes no markup from a message", () => {
  show();
  report(`k3s_installed failed '<script>alert("1")</script> & more'`);
  expect(ask("GET /").body).toContain("&lt;script&gt;alert('1')&lt;/script&gt; &amp; more");
});

it("has the report for programs", () => {
  show();
  report(`k3s_installed running "installing"`);
  const { head, body } = ask("GET /status.json");
  expect(head).toContain("Content-Type: application/json");
  expect(JSON.parse(body)).toMatchObject({ node: "node-1", steps: { k3s_installed: { state: "running" } } });
});

it.each([
  ["POST /", "405 Method Not Allowed"],
  ["DELETE /status.json", "405 Method Not Allowed"],
  ["GET /onboarding.log", "404 Not Found"],
  ["GET /../../etc/passwd", "404 Not Found"],
  ["GET /$(touch hit)", "404 Not Found"],
])("is read-only, and serves nothing else: %s", (request, status) => {
  show();
  const before = fs.readdirSync(file("opt"));
  expect(ask(request).head).toMatch(new RegExp(`^HTTP/1\\.1 ${status}\r\n`));
  expect(fs.readdirSync(file("opt"))).toEqual(before);
});

it("HEAD has no body", () => {
  show();
  expect(ask("HEAD /")).toMatchObject({ head: expect.stringContaining("200 OK") as string, body: "" });
});

it("is removed a minute after the last step, and leaves no unit", () => {
  show();
  report(`node_labeled done "1 label"`);
  expect(calls().filter((call) => call.startsWith("systemd-run"))).toEqual([]);
  report(`health_check_ready done "Ready"`);
  const [end = ""] = calls().filter((call) => call.startsWith("systemd-run"));
  expect(end).toBe(`systemd-run -q --on-active=60 --unit=k3s-onboarding-end sh ${file("opt/end-page.sh")}`);
  run(fs.readFileSync(file("opt/end-page.sh"), "utf8"));
  expect(fs.readdirSync(file("units"))).toEqual([]);
  expect(calls().slice(-2)).toEqual(["systemctl stop k3s-onboarding.socket", "systemctl daemon-reload"]);
});

it("is not started on a node that joined before there were reports, and is removed from it", () => {
  show();
  fs.mkdirSync(file("state"));
  fs.writeFileSync(file("state/started"), "");
  fs.rmSync(file("opt"), { recursive: true });
  expect(show()).toEqual({ status: 0, said: "node-1 has joined before, so it shows no page" });
  expect([fs.readdirSync(file("units")), fs.existsSync(file("opt"))]).toEqual([[], false]);
});

it("is removed if the config no longer has it", () => {
  show();
  expect(guestPage("delete")).toEqual({ status: 0, said: "node-1 shows no page any more" });
  expect([fs.readdirSync(file("units")), calls().at(-2)]).toEqual([[], "systemctl stop k3s-onboarding.socket"]);
});

it("is not started on a node that is done, and does not fail if the port is in use", () => {
  fs.writeFileSync(file("taken"), "");
  expect(show()).toEqual({
    status: 0,
    said: "node-1 shows no page: journalctl -u k3s-onboarding.socket on the node says why",
  });
  fs.rmSync(file("taken"));
  report(`health_check_ready done "Ready"`);
  expect(show()).toEqual({ status: 0, said: "the onboarding of node-1 is done, so it shows no page" });
});

describe("the Proxmox host starts it on the node", () => {
  const node = (name = "node-1") => `#creation ${CREATION} of ${MARK}\nhostname: ${name}\nlxc.cap.drop:\n`;
  /** @param answer shell: what the guest does with its script */
  function host(answer: string): ScriptedHost {
    const asked = new ScriptedHost(`
      case "$*" in
        status*) if [ -e "$(dirname "$0")/../stopped" ]; then echo "status: stopped"; else echo "status: running"; fi ;;
        *guest-page.sh*) tar -xO guest-page.sh >"$(dirname "$0")/../sent"; ${answer} ;;
      esac`);
    asked.conf(103, node());
    return asked.record("prepared", 103);
  }
  const page = (asked: ScriptedHost, action = "create") => asked.script("page", action, { ADDRESS: "192.168.2.21" });
  const asks = ({ pct }: ReturnType<typeof page>) => pct.filter((call) => call.startsWith("exec"));

  it.each(["create", "delete"])("with its name and its address: %s", (action) => {
    const asked = host("echo first; printf 'the words of\\033[31m the guest'");
    const run = page(asked, action);
    expect([run.code, run.outcome]).toEqual([0, "the words of[31m the guest"]);
    expect(asks(run)).toEqual([
      expect.stringMatching(new RegExp(`guest-page.sh "\\$@" sh ${action} node-1 192.168.2.21$`)),
    ]);
    expect(fs.readFileSync(path.join(asked.root, "sent"), "utf8")).toContain(taskFiles("page")["guest-page.sh"]);
  });

  it.each(["create", "delete"])(
    "a node that does not run, is gone or is a foreign guest does not fail the step: %s",
    (action) => {
      const asked = host("echo asked");
      const nothing = { code: 0, outcome: "no guest node-1 (103) of this cluster runs, so there is no page" };
      fs.writeFileSync(path.join(asked.root, "stopped"), "");
      expect(page(asked, action)).toMatchObject(nothing);
      fs.rmSync(path.join(asked.root, "stopped"));
      asked.conf(103, node("node-2"));
      expect(page(asked, action)).toMatchObject(nothing);
      asked.conf(103, node().replace(MARK, "somebody else's"));
      expect(page(asked, action)).toMatchObject(nothing);
      fs.rmSync(path.join(asked.root, "etc/nodes/pve/lxc/103.conf"));
      const run = page(asked, action);
      expect([run, asks(run)]).toEqual([expect.objectContaining(nothing), []]);
    },
  );

  it.each(["create", "delete"])(
    "a node that hangs or fails does not fail the step, and its output is shown: %s",
    (action) => {
      const run = page(host("echo 'no space left' >&2; exit 1"), action);
      expect(run).toMatchObject({
        ...{ code: 0, output: "  no space left\n" },
        outcome: "node-1 (103) gave no valid answer; if it shows a page, that ends when the guest restarts",
      });
    },
  );
});
