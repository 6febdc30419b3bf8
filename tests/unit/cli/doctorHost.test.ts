import { checkHost } from "../../../cli/doctor/host";
import { loadPlan } from "../../../plan/load";
import type { ClusterPlan } from "../../../plan/model";
import { authorizedKeysLine, GATE_FILE } from "../../../remote/hostGate";
import { changed, homelabConfig } from "../config/support";
import { type SshServer, startSshServer } from "../../support/sshServer";

/* The doctor's findings on a host that it can reach, but that does not run the program's scripts. */

let server: SshServer;
let plan: ClusterPlan;
beforeEach(async () => {
  server = await startSshServer();
  const proxmox = { host: "127.0.0.1", sshPort: server.port, hostKey: `${server.hostKey} root@pve` };
  plan = loadPlan(changed(homelabConfig(), { proxmox }));
});
afterEach(() => server.close());

const NO_STATE = { guests: [], mark: () => undefined };
const troubles = async (): Promise<string[]> =>
  (await checkHost(plan, server.clientKeys[0], NO_STATE)).map(
    ({ level, check, seen, remedy = "" }) => `${level} ${check}: ${seen} → ${remedy}`,
  );

it("says nothing about the host key if the connection ends before the host sent one", async () => {
  server.dropNext = 1;
  expect(await troubles()).toEqual([
    expect.stringMatching(
      /^fail ssh: root@127\.0\.0\.1.* → find out on 127\.0\.0\.1 why sshd drops the connection: journalctl -u ssh$/,
    ),
    "skip host-key: not checked: no answer → ",
    "skip host: not checked: the checks did not run on the host → ",
  ]);
});

const [, forced = ""] = /command="([^"]*)"/.exec(authorizedKeysLine("ssh-ed25519 AAAA")) ?? [];

it.each([
  ["is missing", "/nowhere/proxmox-k3s-gate"],
  ["is empty", "true"],
])("names the command that installs the gate, if the gate %s", async (_, gate) => {
  server.forcedCommand = forced.replace(GATE_FILE, gate);
  expect(await troubles()).toEqual([
    "ok host-key: the host key is proxmox.hostKey → ",
    expect.stringMatching(
      /^fail gate: .* → npx proxmox-k3s gate --install root@127\.0\.0\.1, which installs and tests the gate; then pulumi up$/,
    ),
    "skip host: not checked: the checks did not run on the host → ",
  ]);
});
