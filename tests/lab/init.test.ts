import { spawn } from "node:child_process";
import * as fs from "node:fs";
import * as path from "node:path";

import { InitLab } from "../support/initLab";
import { eventually, finish } from "../support/lab";

/*
 * From a bare Proxmox host to a stack with an exact preview, by `init`. It is killed twice, run again, and undone. One lab; the
 * tests build on each other, so only the first failure matters.
 */

const world = new InitLab("init");
const { name, home, stackFile, caFile } = world;
const repo = path.join(__dirname, "../..");
const files = (): string[] => [stackFile, caFile].map((file) => fs.readFileSync(file, "utf8"));

/** Starts `init --yes`, and kills it and all that it has started as soon as it has printed this. */
async function initKilledAt(words: string): Promise<void> {
  const options = { cwd: repo, env: world.env(), detached: true, stdio: ["ignore", "pipe", "pipe"] as const };
  const child = spawn(world.tsx, world.initArgs("--yes"), { ...options, stdio: [...options.stdio] });
  let printed = "";
  child.stdout?.on("data", (data: Buffer) => (printed += data.toString()));
  child.stderr?.on("data", (data: Buffer) => (printed += data.toString()));
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  await eventually(90, async () => printed.includes(words) || child.exitCode !== null);
  expect(printed).toContain(words);
  process.kill(-child.pid!, "SIGKILL");
  await ended;
}

let bare: string;
beforeAll(async () => {
  await world.up();
  bare = await world.hostState();
}, 40 * 60_000);
afterAll(() => world.down(), 120_000);
jest.setTimeout(300_000);

it("shows what it would do, and changes nothing", async () => {
  const { code, stdout, stderr } = await world.init("--dry-run");
  expect([code, stderr]).toEqual([0, ""]);
  expect(stdout).toContain("# yaml-language-server: $schema=schema/cluster.schema.json");
  expect(stdout).toContain(`POOL='${name}'`);
  expect(await world.hostState()).toBe(bare);
  expect(fs.readdirSync(home)).toEqual([]);
});

it("the doctor names problems before there is a stack", async () => {
  const ssh = world.initArgs().slice(world.initArgs().indexOf("--ssh"));
  const { code, stdout } = await world.own("doctor", "--host", `root@${world.host}`, ...ssh);
  expect([code, stdout]).toEqual([
    1,
    expect.stringMatching(/✗ host +the host has no gateway on vmbr0[^]*→ .*--gateway/),
  ]);
  expect(await world.hostState()).toBe(bare);
});

it("continues where it was killed, and ends with the doctor's table and the next command", async () => {
  await initKilledAt("made     role PulumiK3sHost");
  await initKilledAt(`made     stack ${name}`);
  const { code, stdout, stderr } = await world.init("--yes");
  expect([code, stderr]).toEqual([0, ""]);
  expect(stdout).toMatch(/✓ privileges +k3s-\S+@pve!pulumi has all privileges/);
  expect(stdout).not.toMatch(/[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}|PRIVATE KEY/);
  expect(stdout).toMatch(/\n\d+ passed(, \d+ with a warning)?\n/);
  expect(stdout).toContain(`export SSL_CERT_DIR=${repo}/certificates\n`);
  expect(stdout).toContain(`export PULUMI_CONFIG_PASSPHRASE_FILE=${home}/.config/proxmox-k3s-passphrase\n`);
  expect(stdout).toMatch(new RegExp(`\nnext:  pulumi up --stack ${name}\n$`));
  expect(fs.statSync(`${home}/.config/proxmox-k3s-passphrase`).mode & 0o777).toBe(0o600);
  // Since then, Pulumi has written the salt and the secrets into the file.
  expect(fs.readFileSync(stackFile, "utf8")).toMatch(
    /^# yaml-language-server: [^]*# Agents: they run your workloads\./,
  );
  for (const text of files()) expect(text).not.toMatch(/PRIVATE KEY|pulumi=[0-9a-f]{8}-/);
});

it("a second run changes nothing, on the host and on this machine", async () => {
  const before = [await world.hostState(), ...files()];
  const { code, stdout } = await world.init("--yes");
  expect(code).toBe(0);
  expect(stdout).not.toMatch(/^[+!] /m);
  expect(stdout).toContain(`✓ stands   ${stackFile}`);
  // Ignore the logs that the doctor and the gate's test write.
  const withoutLogs = (text: string): string => text.replace(/^.*\/var\/log\/.*\n/gm, "");
  expect([await world.hostState(), ...files()].map(withoutLogs)).toEqual(before.map(withoutLogs));
});

it("the preview of the new stack is exact, in that shell", async () => {
  const args = ["preview", "--stack", name, "--non-interactive"];
  const { code, stdout, stderr } = await finish("pulumi", args, world.envAfter());
  expect([code, code === 0 ? "" : stdout + stderr]).toEqual([0, ""]);
  expect(stdout).toMatch(/\+ \d+ to create\n/);
  expect(stdout).not.toMatch(/placeholder|to (update|replace|delete)/);
});

it("scale and retire show what they do, and change only the lines concerned", async () => {
  const before = fs.readFileSync(stackFile, "utf8");
  const scaled = await world.own("scale", "worker", "3", "--stack", name, "--yes");
  expect([scaled.code, scaled.stderr]).toEqual([0, ""]);
  expect(scaled.stdout).toContain(`${name}-worker-3 (VMID 212): join`);
  const retired = await world.own("node", "retire", `${name}-worker-2`, "--stack", name, "--yes");
  expect([retired.code, retired.stderr]).toEqual([0, ""]);
  expect(fs.readFileSync(stackFile, "utf8")).toBe(
    before.replace(/(worker:[^]*?)( *)count: 2/, "$1$2retired: [2]\n$2count: 2"),
  );
});

it("--undo leaves the host as it was, in each file and each permission", async () => {
  const { code, stdout, stderr } = await world.init("--undo", "--yes");
  expect([code, stderr]).toEqual([0, ""]);
  expect(stdout).toContain(`removed  token k3s-${name}@pve pulumi`);
  expect(await world.hostState()).toBe(bare);
});

it("after --undo and the loss of a key it makes token and key again, and the stack has the new ones", async () => {
  for (const end of ["", ".pub"]) fs.rmSync(`${home}/.ssh/proxmox-k3s-${name}-host${end}`);
  const { code, stdout, stderr } = await world.init("--yes");
  expect([code, stderr]).toEqual([0, ""]);
  expect(stdout).toMatch(/^\+ made +secret proxmoxApiToken$/m);
  expect(stdout).toMatch(/^\+ made +secret hostPrivateKey$/m);
  expect(stdout).toMatch(/^✓ stands +secret nodePrivateKey$/m);
  expect(stdout).toMatch(/✓ privileges +k3s-\S+@pve!pulumi has all privileges/);
});
