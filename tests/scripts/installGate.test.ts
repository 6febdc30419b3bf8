import { spawnSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

import { newKeyPair } from "../support/sshKeys";

/* For which key `gate --install` installs the gate. The host is an `ssh` that gives set answers; Pulumi has a stack or none. */

const repo = path.join(__dirname, "../..");
const [ofStack, byHand, named] = [newKeyPair(), newKeyPair(), newKeyPair()];

let folder: string;
const at = (file: string): string => path.join(folder, file);
const command = (name: string, text: string): void =>
  fs.writeFileSync(at(name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
const keyFile = (file: string, { private: text }: { private: string }): void => {
  fs.mkdirSync(path.dirname(at(file)), { recursive: true });
  fs.writeFileSync(at(file), text, { mode: 0o600 });
};
beforeEach(() => {
  folder = fs.mkdtempSync(path.join(os.tmpdir(), "install-gate-"));
  // Proxmox VE's side: the command that would write authorized_keys is the host's answer.
  command("ssh", `if [ "$1" = -G ]; then printf 'hostname 127.0.0.1\\nport 1\\n'; else cat >/dev/null; echo "$2"; fi`);
  keyFile(".ssh/proxmox-k3s-host", byHand);
});
afterEach(() => fs.rmSync(folder, { recursive: true }));

function selectStack(): void {
  const config = { "proxmox-k3s:hostPrivateKey": { value: ofStack.private, secret: true } };
  fs.writeFileSync(at("config.json"), JSON.stringify(config));
  command("pulumi", `case $1 in config) cat ${at("config.json")} ;; *) echo '{"version":3,"deployment":{}}' ;; esac`);
}

const install = (...options: string[]) => {
  const args = ["--import", "tsx", "cli/main.ts", "gate", "--install", "root@pve", "--ssh", at("ssh"), ...options];
  const env: NodeJS.ProcessEnv = { ...process.env, HOME: folder, PATH: `${folder}:${process.env["PATH"]}` };
  delete env["PROXMOX_K3S_HOST_SSH_KEY_FILE"];
  return spawnSync(process.execPath, args, { cwd: repo, env, encoding: "utf8" });
};
/** The public keys in the line of authorized_keys, if it has any. */
function keysFor(...options: string[]): string[] {
  const { stdout } = install(...options);
  return [ofStack, byHand, named].map((key) => key.public).filter((key) => stdout.includes(key));
}

it("the selected stack's key, which init has created", () => {
  selectStack();
  expect(keysFor()).toEqual([ofStack.public]);
});

it("before there is a stack, the key of docs/by-hand.md", () => {
  command("pulumi", "echo 'error: no stack selected' >&2; exit 1");
  expect(keysFor()).toEqual([byHand.public]);
});

it.each([
  [
    "a passphrase that is missing",
    "error: passphrase must be set with PULUMI_CONFIG_PASSPHRASE",
    "passphrase must be set",
  ],
  ["a backend that does not answer", "error: read .pulumi/meta.yaml: connection refused", "connection refused"],
])("no key with %s: the stack may have another one", (_, said, named) => {
  command("pulumi", `echo '${said}' >&2; exit 255`);
  const { status, stdout, stderr } = install();
  expect([status, stdout, stderr]).toEqual([1, "", expect.stringContaining(named)]);
});

it("no key if the stack has it in plain text", () => {
  selectStack();
  fs.writeFileSync(
    at("config.json"),
    JSON.stringify({ "proxmox-k3s:hostPrivateKey": { value: ofStack.private, secret: false } }),
  );
  const { status, stdout, stderr } = install();
  expect([status, stdout, stderr]).toEqual([1, "", expect.stringContaining("hostPrivateKey: is in plain text")]);
});

it("the key that the caller names", () => {
  selectStack();
  keyFile("named", named);
  expect(keysFor("--key", at("named"))).toEqual([named.public]);
});
