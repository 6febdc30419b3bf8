import { spawn } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

import { findLab, labNetwork, labPaths } from "../../lab/lab";
import { eventually, type Finished, finish, Lab } from "../support/lab";

/*
 * From a bare Proxmox host to a stack whose preview is exact: by `init`, which is killed twice on its way, run again, and taken
 * back. One lab; the tests build on each other, the first failure is the one to read.
 */

const lab = new Lab("init");
const scratch = fs.mkdtempSync(path.join(os.tmpdir(), "init-test-"));
const repo = path.join(__dirname, "../..");
const tsx = path.join(repo, "node_modules/.bin/tsx");
/** Ignored by git, as every lab's stack file. */
const NAME = `${lab.stack}-x`;
const FILES = [`Pulumi.${NAME}.yaml`, `certificates/${NAME}.pem`].map((file) => path.join(repo, file));

let host: string;
/** A person's shell: their own home, and nothing of what the lab hands out but the tools and a state. */
function env(): NodeJS.ProcessEnv {
  const own = { ...lab.environment, HOME: scratch, PROXMOX_VE_API_TOKEN: "" };
  const given = [
    "PULUMI_STACK",
    "PULUMI_CONFIG_PASSPHRASE_FILE",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "NODE_EXTRA_CA_CERTS",
  ];
  const credentials = ["PROXMOX_VE_API_TOKEN", "PROXMOX_K3S_HOST_SSH_KEY_FILE", "PROXMOX_K3S_NODE_SSH_KEY_FILE"];
  return Object.fromEntries(Object.entries(own).filter(([name]) => ![...given, ...credentials].includes(name)));
}
function initArgs(...more: string[]): string[] {
  const { client, knownHosts } = labPaths(lab.name);
  const ssh = `ssh -i ${client}/host-key -o IdentitiesOnly=yes -o UserKnownHostsFile=${knownHosts}`;
  return ["cli/main.ts", "init", `root@${host}`, "--name", NAME, "--gateway", host, "--ssh", ssh, ...more];
}
const init = (...more: string[]): Promise<Finished> => finish(tsx, initArgs(...more), env());

/** Starts `init --yes` and kills it, and all that it started, as soon as it has printed this. */
async function initKilledAt(words: string): Promise<void> {
  const child = spawn(tsx, initArgs("--yes"), {
    cwd: repo,
    env: env(),
    detached: true,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let printed = "";
  child.stdout.on("data", (data: Buffer) => (printed += data.toString()));
  child.stderr.on("data", (data: Buffer) => (printed += data.toString()));
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  await eventually(90, async () => printed.includes(words) || child.exitCode !== null);
  expect(printed).toContain(words);
  process.kill(-child.pid!, "SIGKILL");
  await ended;
}

/** Rights and files of the host, by their content. */
const hostState = (): Promise<string> =>
  lab.host(
    "sort /etc/pve/user.cfg; find /etc/pve/priv /root/.ssh /usr/local/sbin /var/lib/vz /var/log/proxmox-k3s /var/lib/proxmox-k3s -type f 2>/dev/null | sort | xargs -r sha256sum; ls -d /var/log/proxmox-k3s /var/lib/proxmox-k3s 2>/dev/null || :",
  );

let bare: string;
beforeAll(async () => {
  await lab.down();
  await lab.up();
  host = labNetwork(findLab(lab.name)!.subnet).host;
  // What the lab prepares for others.
  await lab.host(
    `pvesh delete /access/users/pulumi@pve/token/pulumi --output-format json; pvesh delete /access/users/pulumi@pve --output-format json; pvesh delete /pools/${lab.stack} --output-format json; for role in PulumiK3s PulumiK3sHost; do pvesh delete /access/roles/$role --output-format json; done`,
  );
  bare = await hostState();
}, 40 * 60_000);
afterAll(async () => {
  await finish("pulumi", ["stack", "rm", NAME, "--yes", "--force", "--non-interactive"], env());
  for (const file of [...FILES, scratch]) fs.rmSync(file, { recursive: true, force: true });
  await lab.down();
}, 120_000);
jest.setTimeout(300_000);

it("shows what it would do, and changes nothing", async () => {
  const { code, stdout, stderr } = await init("--dry-run");
  expect([code, stderr]).toEqual([0, ""]);
  expect(stdout).toContain("# yaml-language-server: $schema=schema/cluster.schema.json");
  expect(stdout).toContain(`POOL='${NAME}'`);
  expect(await hostState()).toBe(bare);
  expect(fs.readdirSync(scratch)).toEqual([]);
});

it("goes on where it was killed, and ends with the doctor's table and the next command", async () => {
  await initKilledAt("made     role PulumiK3sHost");
  await initKilledAt(`made     stack ${NAME}`);
  const { code, stdout, stderr } = await init("--yes");
  expect([code, stderr]).toEqual([0, ""]);
  expect(stdout).toMatch(/✓ privileges +k3s-\S+@pve!pulumi has all privileges/);
  expect(stdout).toMatch(/\n\d+ passed(, \d+ with a warning)?\n/);
  expect(stdout).toContain(`export SSL_CERT_DIR=${repo}/certificates\n`);
  expect(stdout).toContain(`export PULUMI_CONFIG_PASSPHRASE_FILE=${scratch}/.config/proxmox-k3s-passphrase\n`);
  expect(stdout).toMatch(new RegExp(`\nnext:  pulumi up --stack ${NAME}\n$`));
  expect(fs.statSync(`${scratch}/.config/proxmox-k3s-passphrase`).mode & 0o777).toBe(0o600);
  for (const file of FILES) expect(fs.readFileSync(file, "utf8")).not.toMatch(/PRIVATE KEY|pulumi=[0-9a-f]{8}-/);
});

it("run again changes nothing, on the host and here", async () => {
  const before = [await hostState(), ...FILES.map((file) => fs.readFileSync(file, "utf8"))];
  const { code, stdout } = await init("--yes");
  expect(code).toBe(0);
  expect(stdout).not.toMatch(/^[+!] /m);
  expect(stdout).toContain(`✓ stands   ${FILES[0]}`);
  // The doctor and the gate's test write their logs.
  const withoutLogs = (text: string): string => text.replace(/^.*\/var\/log\/.*\n/gm, "");
  const after = [await hostState(), ...FILES.map((file) => fs.readFileSync(file, "utf8"))];
  expect(after.map(withoutLogs)).toEqual(before.map(withoutLogs));
});

it("the preview of what it made is exact, from that shell", async () => {
  const shell = {
    ...env(),
    ...{
      PULUMI_CONFIG_PASSPHRASE_FILE: `${scratch}/.config/proxmox-k3s-passphrase`,
      SSL_CERT_DIR: `${repo}/certificates`,
    },
  };
  const { code, stdout, stderr } = await finish("pulumi", ["preview", "--stack", NAME, "--non-interactive"], shell);
  expect([code, code === 0 ? "" : stdout + stderr]).toEqual([0, ""]);
  expect(stdout).toMatch(/\+ \d+ to create\n/);
  expect(stdout).not.toMatch(/placeholder|to (update|replace|delete)/);
});

it("scale and retire show what they do, and change the lines that mean it", async () => {
  const shell = { ...env(), PULUMI_CONFIG_PASSPHRASE_FILE: `${scratch}/.config/proxmox-k3s-passphrase` };
  const own = (...args: string[]): Promise<Finished> =>
    finish(tsx, ["cli/main.ts", ...args, "--stack", NAME, "--yes"], shell);
  const before = fs.readFileSync(FILES[0]!, "utf8");
  const scaled = await own("scale", "worker", "3");
  expect([scaled.code, scaled.stderr]).toEqual([0, ""]);
  expect(scaled.stdout).toContain(`${NAME}-worker-3 (VMID 212): join`);
  const retired = await own("node", "retire", `${NAME}-worker-2`);
  expect([retired.code, retired.stderr]).toEqual([0, ""]);
  expect(fs.readFileSync(FILES[0]!, "utf8")).toBe(
    before.replace("        count: 2", "        retired: [2]\n        count: 2"),
  );
});

it("--undo leaves the host as it was, file by file and right by right", async () => {
  const { code, stdout, stderr } = await init("--undo", "--yes");
  expect([code, stderr]).toEqual([0, ""]);
  expect(stdout).toContain(`removed  token k3s-${NAME}@pve pulumi`);
  expect(await hostState()).toBe(bare);
});
