import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

import { AdminHost } from "../../support/adminHost";
import { newKeyPair } from "../../support/sshKeys";
import { CTRL_C, ENTER, Terminal } from "../../support/terminal";

/* `init` asks its questions at a real terminal. The command is the real one; the host is the double of the administrator's scripts. */

const repo = path.join(__dirname, "../../..");
const NAME = `terminal-${process.pid}`;
const PREPARE = "Prepare root@pve and this machine? [y/N]: ";

let host: AdminHost;
let home: string;
let before: Record<string, string>;
beforeEach(async () => {
  home = fs.mkdtempSync(path.join(os.tmpdir(), "init-terminal-"));
  host = await AdminHost.start();
  host.write("etc/ssh/ssh_host_ed25519_key.pub", `${newKeyPair().public} root@pve\n`);
  // The lab's bridge has an address only while a lab runs.
  const bridge = [{ iface: "vmbr0", type: "bridge", cidr: "198.18.0.2/24", gateway: "198.18.0.1" }];
  host.command(
    "pvesh",
    `[ "$2" != /nodes/pve/network ] || exec echo '${JSON.stringify(bridge)}'\nexec pvesh.real "$@"`,
  );
  before = host.state();
});
afterEach(async () => {
  await host.stop();
  fs.rmSync(home, { recursive: true });
});

function init(...options: string[]): Terminal {
  const command = [process.execPath, "--import", "tsx", "cli/main.ts", "init", "root@pve"];
  const env = { ...process.env, HOME: home };
  return new Terminal([...command, "--ssh", host.sshCommand("198.18.0.2"), ...options], { cwd: repo, env });
}

/** Nothing was created: on the host, in the person's home folder, in the program's folder. */
function expectNothing(): void {
  expect(host.state()).toEqual(before);
  expect(fs.readdirSync(home)).toEqual([]);
  expect(fs.existsSync(path.join(repo, `Pulumi.${NAME}.yaml`))).toBe(false);
}

it("uses the default for Enter, asks again after an invalid answer, and creates nothing without a yes", async () => {
  const terminal = init();
  await terminal.answer("Name of the cluster [k3s]: ", `My Cluster${ENTER}`);
  await terminal.shows('the name "My Cluster" must be');
  await terminal.answer("Name of the cluster [k3s]: ", `${NAME}${ENTER}`);
  await terminal.answer("or mixed [lxc]: ", `docker${ENTER}`);
  await terminal.shows('"docker" is not a kind of node');
  await terminal.answer("or mixed [lxc]: ", ENTER);
  await terminal.answer("Servers (1, 3 or 5) [1]: ", `2${ENTER}`);
  await terminal.shows("there must be 1, 3 or 5 servers");
  await terminal.answer("Servers (1, 3 or 5) [1]: ", ENTER);
  await terminal.answer("Workers [2]: ", `many${ENTER}`);
  await terminal.shows("the number of workers must be from 0 to 200");
  await terminal.answer("Workers [2]: ", ENTER);
  await terminal.answer("DHCP range [198.18.0.", `10.9.9.9${ENTER}`);
  await terminal.shows("not all of the 3 addresses from 10.9.9.9 on are free in 198.18.0.0/24");
  await terminal.answer("DHCP range [198.18.0.", ENTER);
  for (const node of ["control-1  server  lxc", "worker-1   agent   lxc", "worker-2   agent   lxc"])
    await terminal.shows(`${NAME}-${node}`);
  await terminal.answer(PREPARE, ENTER);
  expect((await terminal.end()).code).toBe(0);
  expectNothing();
});

it.each([
  ["the first question", [], "Name of the cluster [k3s]: "],
  ["the last one", ["--name", NAME, "--kind", "lxc", "--servers", "1", "--workers", "0"], PREPARE],
])("Ctrl-C at %s leaves nothing", async (_, options, question) => {
  const terminal = init(...options);
  if (question === PREPARE) await terminal.answer("DHCP range [198.18.0.", ENTER);
  await terminal.answer(question, CTRL_C);
  const { code, shown } = await terminal.end();
  expect([code, shown]).toEqual([1, expect.stringContaining("error: nobody answered: ")]);
  expectNothing();
});
