import { spawn, type ChildProcess, spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

import { selfSigned } from "../../lab/support/selfSigned";

/*
 * The checks of a node before K3s is touched, by a real `sh`. Files of the system are below a scratch folder; commands that ask the
 * system are doubles; the server that a node joins is a real one on this machine.
 */

const scratch = fs.mkdtempSync(path.join(os.tmpdir(), "node-checks-"));
afterAll(() => fs.rmSync(scratch, { recursive: true }));

let root: string;
const file = (name: string): string => path.join(root, name);
function put(name: string, text: string): void {
  fs.mkdirSync(path.dirname(file(name)), { recursive: true });
  fs.writeFileSync(file(name), text, { mode: 0o755 });
}
const tool = (name: string, text: string): void => put(`bin/${name}`, `#!/bin/sh\n${text}\n`);

/** A node that passes every check. */
beforeEach(() => {
  root = fs.mkdtempSync(path.join(scratch, "node-"));
  tool("hostname", "echo node-1");
  tool("uname", "echo x86_64");
  tool("df", "printf 'Filesystem 1K Used Available\\n/dev/sda 9 9 9000000\\n'");
  tool("modprobe", "exit 0");
  tool("ss", "exit 0");
  tool("systemctl", "exit 3");
  routes("192.168.2.0/24 dev eth0 proto kernel scope link src 192.168.2.21");
  put("meminfo", "MemTotal: 8000000 kB\nMemAvailable: 7000000 kB\n");
  put("cgroup.controllers", "cpuset cpu io memory hugetlb pids\n");
  put("mounts", "/dev/sda / ext4 rw 0 0\n");
});
const routes = (...lines: string[]): void => {
  put("routes", `${["default via 192.168.2.1 dev eth0", ...lines].join("\n")}\n`);
  tool(
    "ip",
    `if [ "$5" = default ] || [ "$4" = default ]; then head -n 1 "${root}/routes"; else cat "${root}/routes"; fi`,
  );
};

interface Found {
  readonly level: string;
  readonly seen: string;
  readonly remedy: string;
}

function check(env: Readonly<Record<string, string>> = {}): ReadonlyMap<string, Found> {
  const text = ["lib/task", "lib/node-checks"].map((part) => fs.readFileSync(`scripts/${part}.sh`, "utf8"));
  const script = [...text, "node_checks"]
    .join("\n")
    .replaceAll("/dev/kmsg", file("kmsg"))
    .replaceAll("/proc/meminfo", file("meminfo"))
    .replaceAll("/proc/mounts", file("mounts"))
    .replaceAll("/sys/fs/cgroup", root)
    .replaceAll("/sys/module", file("modules"))
    .replaceAll("/run/systemd/container", file("container"))
    .replaceAll("/var/lib/proxmox-k3s", file("state"))
    .replaceAll("/etc/rancher/k3s", file("k3s"))
    .replaceAll(`[ -c ${file("kmsg")} ]`, `[ ! -e ${file("no-kmsg")} ]`);
  const { status, stdout, stderr } = spawnSync("sh", ["-c", script], {
    encoding: "utf8",
    env: {
      ...{ PATH: `${file("bin")}:${process.env["PATH"]}`, WORK: root, RUNNER: String(process.pid), STEP: "node-1-k3s" },
      ...{ NAME: "node-1", ARCH: "amd64", ROLE: "agent", NETWORKS: "10.42.0.0/16\n10.43.0.0/16", ...env },
    },
  });
  expect([status, stderr]).toEqual([0, ""]);
  const lines = stdout.trim().split("\n");
  return new Map(
    lines.map((line) => {
      const [level = "", name = "", seen = "", remedy = ""] = line.split("\t");
      return [name, { level, seen, remedy }] as const;
    }),
  );
}

it("has a finding for each check, and all are ok on a good node", () => {
  const findings = check();
  expect([...findings.keys()]).toEqual([
    ...["host-name", "architecture", "kmsg", "route", "disk", "memory", "cgroup", "kernel", "networks", "ports"],
  ]);
  expect([...findings.values()].filter(({ level }) => level !== "ok")).toEqual([]);
});

it.each<[string, string, () => void, string]>([
  ["host-name", "another host name", () => tool("hostname", "echo old"), "the host name is old, not node-1"],
  [
    "architecture",
    "another architecture",
    () => tool("uname", "echo aarch64"),
    "the architecture is aarch64, not amd64",
  ],
  ["kmsg", "no /dev/kmsg", () => put("no-kmsg", ""), "is missing, so the kubelet would not start"],
  ["disk", "a full disk", () => tool("df", "printf 'Filesystem\\n/dev/sda 9 9 9000\\n'"), "only 8 MiB are free"],
  ["memory", "little memory", () => put("meminfo", "MemAvailable: 90000 kB\n"), "only 87 MiB of memory are available"],
  ["cgroup", "no memory controller", () => put("cgroup.controllers", "cpu pids\n"), "controllers are missing: memory"],
  ["kernel", "a kernel without a module", () => tool("modprobe", `[ "$3" != overlay ]`), "its kernel lacks: overlay"],
  [
    "networks",
    "a route into the pods' network",
    () => routes("10.42.5.0/24 dev docker0 proto kernel"),
    "networks overlap: 10.42.5.0/24 and 10.42.0.0/16",
  ],
  [
    "networks",
    "a route around the services' network",
    () => routes("10.40.0.0/14 via 192.168.2.9 dev eth0"),
    "networks overlap: 10.40.0.0/14 and 10.42.0.0/16;10.40.0.0/14 and 10.43.0.0/16",
  ],
  [
    "ports",
    "a port that is in use",
    () => tool("ss", `case "$*" in *:10250*) echo 'LISTEN 0 4096 *:10250 *:* users:(("nginx",pid=7,fd=6))' ;; esac`),
    "something else listens on K3s' port: 10250",
  ],
])("%s: fails at %s, with a remedy, and nothing else fails", (name, _, spoil, words) => {
  spoil();
  const failed = [...check()].filter(([, { level }]) => level === "fail");
  expect(failed).toEqual([
    [
      name,
      { level: "fail", seen: expect.stringContaining(words) as string, remedy: expect.stringMatching(/./) as string },
    ],
  ]);
});

it("only warns about what K3s does not need", () => {
  put("cgroup.controllers", "memory pids\n");
  expect(check().get("cgroup")).toMatchObject({ level: "warn", seen: "cgroup controllers are missing: cpu" });
});

it.each([
  ["a server with the default", { ROLE: "server", CONFIG: "node-name: node-1" }, "fail"],
  ["a server with vxlan in its config", { ROLE: "server", CONFIG: 'flannel-backend: "vxlan"' }, "fail"],
  ["a server with another backend", { ROLE: "server", CONFIG: "flannel-backend: host-gw" }, "ok"],
  ["an agent, whose options have no backend", { ROLE: "agent", CONFIG: "node-name: node-1" }, "warn"],
  ["a step that does not have the options", { ROLE: "" }, "warn"],
])("without vxlan: %s", (_, env, level) => {
  tool("modprobe", `[ "$3" != vxlan ]`);
  expect(check(env).get("kernel")).toMatchObject({ level });
});

it("only warns about a kernel with which K3s has started before", () => {
  put("state/started", "");
  tool("modprobe", "exit 1");
  expect(check().get("kernel")).toMatchObject({
    level: "warn",
    seen: "its kernel lacks: overlay br_netfilter nf_conntrack",
  });
});

it("does not look at the kernel of a container, which is its host's", () => {
  put("container", "lxc\n");
  tool("modprobe", "exit 1");
  expect(check().has("kernel")).toBe(false);
});

it("a port that K3s itself holds after an interrupted start is no problem", () => {
  tool("ss", `echo 'LISTEN 0 4096 *:10250 *:* users:(("k3s-agent",pid=7,fd=6))'`);
  expect(check().get("ports")).toMatchObject({ level: "ok" });
});

it("routes and ports that an interrupted first start has left do not stop the second one, which still checks its server", () => {
  put("k3s/token", "secret\n");
  routes("10.42.1.0/24 via 192.168.2.20 dev eth0");
  tool("ss", `echo 'LISTEN 0 4096 *:10250 *:* users:(("containerd",pid=7,fd=6))'`);
  const failed = [...check({ URL: "https://127.0.0.1:1" })].filter(([, { level }]) => level === "fail");
  expect(failed.map(([name]) => name)).toEqual(["api"]);
});

it("the settings alone, which NixOS has before its first start, do not count as a first start", () => {
  put("k3s/config.yaml", "server: https://127.0.0.1:1\n");
  routes("10.42.1.0/24 via 192.168.2.20 dev eth0");
  expect(check().get("networks")).toMatchObject({ level: "fail" });
});

it("a node that has joined before has its own routes, ports and name: they are not checked", () => {
  put("state/started", "");
  routes("10.42.1.0/24 via 192.168.2.22 dev eth0");
  const findings = check({ URL: "https://127.0.0.1:1" });
  expect(["networks", "ports", "api", "time"].filter((name) => findings.has(name))).toEqual([]);
});

describe("the server to join", () => {
  let server: ChildProcess | undefined;
  afterEach(() => server?.kill());
  const certificate = selfSigned({ name: "x" });

  /** A server whose clock is off by so many seconds; returns its URL. */
  async function serve(off: number): Promise<string> {
    const program = `
      const s = require("https").createServer(${JSON.stringify(certificate)}, (_, to) => {
        to.sendDate = false;
        to.setHeader("Date", new Date(Date.now() + ${off * 1000}).toUTCString());
        to.end("pong");
      });
      s.listen(0, "127.0.0.1", () => console.log(s.address().port));`;
    const child = spawn(process.execPath, ["-e", program], { stdio: ["ignore", "pipe", "inherit"] });
    server = child;
    const port = await new Promise<string>((listening) =>
      child.stdout.once("data", (data: Buffer) => listening(data.toString().trim())),
    );
    return `https://127.0.0.1:${port}`;
  }

  it.each([0, 1, -1])("answers, and its clock is off by %i s, which is ok", async (off) => {
    const URL = await serve(off);
    expect(check({ URL }).get("api")).toMatchObject({ level: "ok", seen: `${URL} answers` });
    expect(check({ URL }).get("time")).toMatchObject({ level: "ok" });
  });

  it.each([3600, -3600, 10, -10])("has a clock that is off by %i s: the node does not join", async (off) => {
    const { level, seen, remedy } = check({ URL: await serve(off) }).get("time")!;
    expect([level, remedy]).toEqual(["fail", expect.stringContaining("timedatectl")]);
    const [, seconds] = /^its clock is (\d+) s off the server's$/.exec(seen)!;
    expect(Math.abs(Number(seconds) - Math.abs(off))).toBeLessThanOrEqual(2);
  });

  it("does not answer", () => {
    const findings = check({ URL: "https://127.0.0.1:1" });
    expect(findings.get("api")).toMatchObject({ level: "fail", seen: "no server answers at https://127.0.0.1:1" });
    expect(findings.has("time")).toBe(false);
  });
});
