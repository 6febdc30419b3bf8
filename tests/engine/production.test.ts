import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

import { ensureToolchain, makePulumiHome, toolchainEnv } from "../../lab/toolchain/install";
import { IsolatedNetwork } from "../support/isolatedNetwork";
import { finish, type Finished } from "../support/lab";

/* `npm ci --omit=dev` in a plain checkout is enough to use the program. Needs npm's registry, or its cache. */

jest.setTimeout(300_000);

const repo = path.join(__dirname, "../..");
const folder = fs.mkdtempSync(path.join(os.tmpdir(), "production-"));
const checkout = path.join(folder, "proxmox-k3s");
let network: IsolatedNetwork;
let env: NodeJS.ProcessEnv;

beforeAll(async () => {
  const toolchain = await ensureToolchain(console.error);
  makePulumiHome(path.join(folder, "home"), toolchain.pluginsDir);
  const { PATH = "", ...settings } = toolchainEnv(toolchain, path.join(folder, "home"));
  // A person's PATH: without this checkout's own tools.
  const own = PATH.split(path.delimiter).filter((entry) => entry !== path.join(repo, "node_modules/.bin"));
  fs.mkdirSync(path.join(folder, "state"));
  env = {
    ...settings,
    PATH: own.join(path.delimiter),
    HOME: folder,
    npm_config_cache: process.env["npm_config_cache"] ?? path.join(os.homedir(), ".npm"),
    PULUMI_BACKEND_URL: `file://${path.join(folder, "state")}?metadata=skip`,
    PULUMI_CONFIG_PASSPHRASE: "test",
  };
  const tracked = execFileSync("git", ["ls-files", "-z"], { cwd: repo, encoding: "utf8" }).split("\0").filter(Boolean);
  for (const file of tracked.filter((name) => fs.existsSync(path.join(repo, name))))
    fs.cpSync(path.join(repo, file), path.join(checkout, file));
  network = await IsolatedNetwork.create([]);
  const { code, stderr } = await inCheckout("npm", "ci", "--omit=dev", "--prefer-offline", "--no-progress");
  if (code !== 0) throw new Error(`npm ci --omit=dev: ${stderr}`);
});
afterAll(async () => {
  await network?.dispose();
  fs.rmSync(folder, { recursive: true });
});

function inCheckout(...command: string[]): Promise<Finished> {
  return finish("env", ["--chdir", checkout, ...command], env);
}

/** Runs a command in a network that has only the loopback. */
function withNothingInReach(...command: string[]): Promise<Finished> {
  return inCheckout(...network.enter, ...command);
}

test("pulumi preview of Pulumi.homelab.yaml, without credentials and without a network", async () => {
  const init = await withNothingInReach("pulumi", "stack", "init", "homelab", "--non-interactive");
  if (init.code !== 0) throw new Error(init.stderr);
  const { code, stdout, stderr } = await withNothingInReach("pulumi", "preview", "--json", "--non-interactive");
  expect([code, stderr]).toEqual([0, expect.not.stringMatching(/error/i)]);
  const { steps } = JSON.parse(stdout) as { steps: { op: string; urn: string }[] };
  expect(new Set(steps.map(({ op }) => op))).toEqual(new Set(["create"]));
  for (const node of ["k3s-master", "k3s-worker-01", "k3s-worker-02"])
    expect(steps.map(({ urn }) => urn.split("::").at(-1))).toContain(`${node}-k3s`);
});

test("the doctor, recover, the gate and pin", async () => {
  const doctor = await withNothingInReach("npm", "run", "-s", "doctor", "--", "--json");
  const { findings } = JSON.parse(doctor.stdout) as { findings: { level: string; check: string }[] };
  const passed = findings.filter(({ level }) => level === "ok").map(({ check }) => check);
  expect(passed).toEqual(expect.arrayContaining(["node.js", "pulumi", "stack", "config"]));
  const recover = await withNothingInReach("npm", "run", "-s", "cluster", "--", "recover");
  expect([recover.code, recover.stderr]).toEqual([0, ""]);
  const gate = await withNothingInReach("node", "cli/bin.cjs", "gate");
  expect([gate.code, gate.stdout]).toEqual([0, expect.stringMatching(/^#!\/usr\/bin\/perl /)]);
  const pin = await withNothingInReach("npm", "run", "-s", "pin", "--", "v1.36.3+k3s1");
  expect([pin.code, pin.stderr]).toEqual([1, expect.stringMatching(/^error: https:.* cannot be read: /)]);
});

test("a Node.js that is too old gets one message", async () => {
  // The test raises the version that the program needs, because an old Node.js is not always available.
  const file = path.join(checkout, "package.json");
  const manifest = JSON.parse(fs.readFileSync(file, "utf8")) as { engines: { node: string } };
  fs.writeFileSync(file, JSON.stringify({ ...manifest, engines: { node: ">=99.1" } }));
  const { code, stdout } = await withNothingInReach("pulumi", "preview", "--non-interactive");
  expect(code).not.toBe(0);
  expect(stdout).toContain(`Node.js ${process.versions.node} is too old`);
  expect(stdout).toContain("next: install Node.js 99.1 or newer");
  expect(stdout).not.toMatch(/^\s+at .*\.ts:\d+/m);
});
