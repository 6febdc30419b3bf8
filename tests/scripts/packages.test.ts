import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

import { taskText } from "../../remote/script";

/*
 * Packages on a node: `apt-get`, `dpkg` and `systemctl` are doubles that print what the real ones print; waiting takes no time.
 */

const scratch = fs.mkdtempSync(path.join(os.tmpdir(), "packages-"));
afterAll(() => fs.rmSync(scratch, { recursive: true }));

let root: string;
const file = (name: string): string => path.join(root, name);
const tool = (name: string, text: string): void =>
  fs.writeFileSync(file(`bin/${name}`), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
const lines = (name: string): string[] =>
  fs.existsSync(file(name)) ? fs.readFileSync(file(name), "utf8").trim().split("\n") : [];

beforeEach(() => {
  root = fs.mkdtempSync(path.join(scratch, "node-"));
  for (const dir of ["bin", "work", "installed"]) fs.mkdirSync(file(dir));
  fs.writeFileSync(file("uptime"), "1000.00 0.00\n");
  tool("hostname", "echo node-1");
  tool("uname", "echo x86_64");
  tool("ip", "echo default");
  tool("dpkg-query", `for last; do :; done; [ -e "${root}/installed/$last" ] && printf installed`);
  tool("dpkg", `echo "dpkg $*" >>"${root}/calls"`);
  tool("systemctl", `echo "systemctl $*" >>"${root}/calls"; [ "$1" != cat ] || [ -e "${root}/installed/open-iscsi" ]`);
  // Each wait moves the node's clock forward by the time that it asks for.
  tool(
    "sleep",
    `echo "$1" >>"${root}/waits"; read -r up idle <"${root}/uptime"; echo "$((\${up%.*} + $1)).00 0.00" >"${root}/uptime"`,
  );
  apt();
});

/** A double of `apt-get`: if the file `fails` has a line for an install or update, the call prints that line and fails. */
function apt(...fails: string[]): void {
  fs.writeFileSync(file("fails"), fails.map((line) => `${line}\n`).join(""));
  tool(
    "apt-get",
    `for verb; do case $verb in update | install) break ;; esac; done
echo "apt-get $verb" >>"${root}/calls"
says=$(head -n 1 "${root}/fails")
if [ -n "$says" ] && [ "$verb" = "\${says%%:*}" ]; then
  sed -i 1d "${root}/fails"; echo "\${says#*:}" >&2; exit 100
fi
[ "$verb" = update ] || for each; do case $each in -* | install | *::*) ;; *) : >"${root}/installed/$each" ;; esac; done`,
  );
}

function run(env: Readonly<Record<string, string>> = {}) {
  const text = taskText("packages")
    .replaceAll("/opt/k3s-onboarding", file("opt"))
    .replaceAll("/proc/uptime", file("uptime"))
    .replaceAll("/var/lib/proxmox-k3s", file("state"))
    .replaceAll("/dev/kmsg", "/dev/null");
  const log = fs.openSync(file("log"), "w");
  const { status } = spawnSync("sh", ["-c", text], {
    stdio: ["ignore", log, log],
    env: {
      ...{ PATH: `${file("bin")}:${process.env["PATH"]}`, WORK: file("work"), RUNNER: String(process.pid) },
      ...{ STEP: "node-1-packages", LOG: file("log"), NAME: "node-1", ARCH: "amd64" },
      ...{ PACKAGES: "jq\nopen-iscsi", ISCSI: "yes", DEADLINE: "420", ...env },
    },
  });
  fs.closeSync(log);
  const { steps } = JSON.parse(fs.readFileSync(file("opt/status.json"), "utf8")) as {
    steps: Record<string, { state: string; message: string }>;
  };
  return { status, output: fs.readFileSync(file("log"), "utf8"), steps };
}
const calls = (verb: string): string[] => lines("calls").filter((call) => call.startsWith(verb));

it("installs what is missing, enables iscsid, and says so", () => {
  const { status, steps } = run();
  expect([status, fs.readdirSync(file("installed"))]).toEqual([0, ["jq", "open-iscsi"]]);
  expect(calls("systemctl enable")).toEqual(["systemctl enable -q --now iscsid.service"]);
  expect(steps["packages_installed"]).toMatchObject({ state: "done", message: "jq open-iscsi" });
  expect(steps["iscsi_enabled"]).toMatchObject({ state: "done", message: "iscsid runs" });
  expect(steps["k3s_installed"]).toMatchObject({ state: "pending" });
});

it("only warns if a package is missing on a node whose K3s runs, and changes nothing there", () => {
  tool("hostname", "echo old");
  expect(run()).toMatchObject({ status: 1, output: expect.stringContaining("node-1 is not ready for K3s:") as string });
  expect(calls("apt-get")).toEqual([]);
  fs.mkdirSync(file("state"));
  fs.writeFileSync(file("state/started"), "");
  const { status, output } = run();
  expect([status, output]).toEqual([0, expect.stringContaining("warning: the host name is old, not node-1")]);
});

it("asks no mirror if all packages are installed", () => {
  run();
  fs.rmSync(file("calls"));
  expect(run().status).toBe(0);
  expect(calls("apt-get")).toEqual([]);
});

it("finishes what a kill left half installed before it continues", () => {
  run();
  const work = lines("calls").filter((call) => !call.startsWith("systemctl"));
  expect(work).toEqual(["dpkg --force-confdef --force-confold --configure -a", "apt-get update", "apt-get install"]);
});

it.each([
  ["no open-iscsi, though a label asks for Longhorn", { PACKAGES: "jq", ISCSI: "yes" }, "add open-iscsi to packages"],
  ["no storage that needs it", { PACKAGES: "jq", ISCSI: "no" }, "no storage of the pool needs it"],
])("leaves iSCSI alone with %s", (_, env, words) => {
  const { status, steps } = run(env);
  expect([status, calls("systemctl enable")]).toEqual([0, []]);
  expect(steps["iscsi_enabled"]).toMatchObject({ state: "skipped", message: expect.stringContaining(words) as string });
});

/** As apt prints it. */
const AGAIN = [
  [
    "dns",
    "update",
    "W: Failed to fetch http://deb.debian.org/debian/dists/trixie/InRelease  Temporary failure resolving 'deb.debian.org'",
  ],
  [
    "network",
    "update",
    "E: Failed to fetch http://10.0.0.1/debian/InRelease  Could not connect to 10.0.0.1:80 (10.0.0.1). - connect (111: Connection refused)",
  ],
  ["network", "install", "E: Failed to fetch http://10.0.0.1/jq.deb  Connection timed out [IP: 10.0.0.1 80]"],
  [
    "mirror",
    "update",
    "E: Failed to fetch http://10.0.0.1/debian/InRelease  503  Service Unavailable [IP: 10.0.0.1 80]",
  ],
  ["mirror", "install", "E: Failed to fetch http://10.0.0.1/jq.deb  Hash Sum mismatch"],
  ["lock", "install", "E: Could not get lock /var/lib/dpkg/lock-frontend. It is held by process 812 (unattended-upgr)"],
  ["lock", "install", "dpkg: error: dpkg frontend lock was locked by another process with pid 812"],
] as const;

it.each(AGAIN)("tries again after %s at %s: %s", (kind, verb, says) => {
  apt(`${verb}:${says}`, `${verb}:${says}`);
  const { status, output } = run();
  expect([status, calls(`apt-get ${verb}`).length]).toEqual([0, 3]);
  expect(output).toContain(`try 2 failed (${kind}); the next try is in`);
  const waits = lines("waits").map(Number);
  expect(waits).toHaveLength(2);
  expect(waits[0]).toBeLessThanOrEqual(4);
  expect(waits[1]).toBeLessThanOrEqual(8);
});

it("names a mirror that is too slow for the deadline", () => {
  tool("apt-get", "sleep 420; exit 124");
  const { status, output } = run();
  expect(status).toBe(1);
  expect(output).toContain(
    "apt could not install jq open-iscsi on node-1 within 420 s, in 1 tries\nnext:  see that the node reaches its mirror fast enough",
  );
});

it("gives up at the deadline, with the last cause and its remedy", () => {
  apt(...Array.from({ length: 500 }, () => "update:E: Temporary failure resolving 'deb.debian.org'"));
  const { status, steps } = run();
  const waited = lines("waits")
    .map(Number)
    .reduce((sum, each) => sum + each, 0);
  expect(status).toBe(1);
  expect(waited).toBeLessThanOrEqual(420);
  expect(waited).toBeGreaterThan(300);
  expect(steps["packages_installed"]).toMatchObject({
    state: "failed",
    message: expect.stringMatching(
      /^apt could not install jq open-iscsi on node-1 within 420 s, in \d+ tries: E: Temporary failure resolving 'deb.debian.org' next: set network.nameservers/,
    ) as string,
  });
});

it("does not read a package's size as a mirror's HTTP status", () => {
  apt(
    String.raw`install:Need to get 543 kB of archives.\nGet:1 http://10.0.0.1 jq [512 B]\nE: Sub-process dpkg returned an error`,
  );
  const { status, output } = run();
  expect([status, lines("waits")]).toEqual([1, []]);
  expect(output).toContain("next:  fix what the lines above say");
});

it("finds a mirror's HTTP status below the line that names the file", () => {
  apt(String.raw`update:Err:1 http://10.0.0.1/debian trixie InRelease\n  503  Service Unavailable`);
  expect(run().output).toContain("try 1 failed (mirror)");
});

it.each([
  ["an unknown package", "install", "E: Unable to locate package open-iscsi", "correct packages of the pool"],
  [
    "a package without a candidate",
    "install",
    "E: Package 'jq' has no installation candidate",
    "correct packages of the pool",
  ],
  [
    "a signature",
    "update",
    "E: The repository 'http://10.0.0.1/debian trixie InRelease' is not signed.",
    "install the key of that archive",
  ],
  [
    "a key",
    "update",
    "W: GPG error: http://10.0.0.1 trixie InRelease: NO_PUBKEY 0E98404D386FA1D9",
    "install the key of that archive",
  ],
  [
    "a full disk",
    "install",
    "E: You don't have enough free space in /var/cache/apt/archives/.",
    "give the node a larger disk",
  ],
  [
    "a full disk, in dpkg",
    "install",
    "dpkg: error processing archive jq.deb (--unpack): No space left on device",
    "give the node a larger disk",
  ],
  [
    "a clock that is late",
    "update",
    "E: Release file for http://10.0.0.1/debian is not valid yet (invalid for another 1h 2min)",
    "set the node's clock",
  ],
  [
    "a mirror without the release",
    "update",
    "E: The repository 'http://10.0.0.1/debian sid Release' does not have a Release file.",
    "set a mirror",
  ],
  [
    "anything else",
    "install",
    "E: Sub-process /usr/bin/dpkg returned an error code (1)",
    "fix what the lines above say",
  ],
])("stops at once at %s", (_, verb, says, remedy) => {
  apt(`${verb}:${says}`);
  const { status, output, steps } = run();
  expect([status, calls(`apt-get ${verb}`).length, lines("waits")]).toEqual([1, 1, []]);
  expect(output).toContain(`on node-1: ${says}\nnext:  ${remedy}`);
  expect(steps["packages_installed"]).toMatchObject({ state: "failed" });
});

it("names a system without apt", () => {
  fs.rmSync(file("bin/apt-get"));
  const { status, output } = run({
    PATH: `${file("bin")}:${linked("sh", "awk", "sed", "grep", "tr", "cut", "tail", "date", "flock", "mkdir", "chmod", "mv", "rm", "cat", "df")}`,
  });
  expect(status).toBe(1);
  expect(output).toContain("node-1 has no apt to install jq open-iscsi");
});

/** A folder with these programs of this machine, and no others. */
function linked(...programs: string[]): string {
  fs.mkdirSync(file("few"));
  for (const each of programs) {
    const found = spawnSync("sh", ["-c", `command -v ${each}`], { encoding: "utf8" }).stdout.trim();
    fs.symlinkSync(found, file(`few/${each}`));
  }
  return file("few");
}
