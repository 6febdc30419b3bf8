import { generateKeyPairSync } from "node:crypto";

import { runScript, type ShellTarget } from "../../../remote/sshClient";
import { newKeyPair } from "../../support/sshKeys";
import { type SshServer, startSshServer } from "../../support/sshServer";

let server: SshServer;
let target: ShellTarget;
beforeEach(async () => {
  server = await startSshServer();
  target = {
    host: "127.0.0.1",
    port: server.port,
    user: "root",
    privateKey: server.clientKeys[0],
    hostKey: `${server.hostKey} root@pve`,
  };
});
afterEach(() => server.close());

const run = (command: string, stdin = "", to: Partial<ShellTarget> = {}) =>
  runScript({ ...target, ...to }, command, stdin);

it("passes the script on stdin and returns its answer", async () => {
  expect(await run("export A='x'\nexec sh -s", "echo to stderr >&2\necho $A $((40 + 2))\n")).toBe("x 42");
});

it("fails with the script's stderr, or with its exit code if there is none", async () => {
  await expect(run("sh -s", "echo half; echo error: no >&2; exit 3")).rejects.toThrow(/^error: no$/);
  await expect(run("exit 7")).rejects.toThrow("the script ended with exit code 7");
});

it("tries again while the server is busy", async () => {
  server.dropNext = 1;
  expect(await run("echo here")).toBe("here");
  expect(server.dials).toHaveLength(2);
});

it("accepts no other host key, and names the setting with the expected one", async () => {
  await expect(run("touch reached", "", { hostKey: newKeyPair().public })).rejects.toThrow(
    "root@127.0.0.1 cannot be reached by SSH: its host key is not proxmox.hostKey, but",
  );
  expect(server.dials).toHaveLength(1);
  expect(await run("ls")).toBe("");
});

it("does not retry a refused key", async () => {
  await expect(run("true", "", { privateKey: newKeyPair().private })).rejects.toThrow(
    /cannot be reached by SSH: .*auth/i,
  );
  expect(server.dials).toHaveLength(1);
});

it("reads private keys in the same forms as the commands", async () => {
  const pkcs8 = generateKeyPairSync("ed25519").privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  // The server accepts no key; the test only needs the offer.
  await expect(run("true", "", { privateKey: pkcs8 })).rejects.toThrow(/cannot be reached by SSH: .*auth/i);
});
