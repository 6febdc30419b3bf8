import { generateKeyPairSync } from "node:crypto";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

import { readCredentials, type StackConfig } from "../../../credentials/read";
import { privateKey, secretsIn } from "../../support/secretScan";
import { newKeyPair } from "../../support/sshKeys";

const UUID = "0a1b2c3d-1111-2222-3333-444455556666";
const TOKEN = `pulumi@pve!k3s=${UUID}`;
const [host, node, other] = [newKeyPair(), newKeyPair(), newKeyPair()];
const GOOD = { proxmoxApiToken: TOKEN, hostPrivateKey: host.private, nodePrivateKey: node.private };
const ENVIRONMENT = ["PROXMOX_VE_API_TOKEN", "PROXMOX_K3S_HOST_SSH_KEY_FILE", "PROXMOX_K3S_NODE_SSH_KEY_FILE"];

const saved = { ...process.env };
const folder = fs.mkdtempSync(path.join(os.tmpdir(), "credentials-"));
beforeEach(() => ENVIRONMENT.forEach((name) => delete process.env[name]));
afterAll(() => {
  Object.assign(process.env, saved);
  fs.rmSync(folder, { recursive: true });
});

function config(values: Readonly<Record<string, string>>, plain: readonly string[] = []): StackConfig {
  return { get: (key) => values[key], isSecret: (key) => !plain.includes(key) };
}

const PRIVATE = [host, node, other].map((pair, index) => privateKey(`key ${index}`, pair.private));
const TOKENS = [UUID, "sesame-open-please"].map((value) => ({ name: value, value }));

/** The problems, none of which shows a part of a secret. */
function problemsOf(given: StackConfig): string[] {
  const { problems } = readCredentials(given, [node.public]);
  const lines = problems.map(({ problem, remedy }) => `${problem} → ${remedy}`);
  expect(secretsIn(lines.join("\n"), [...PRIVATE, ...TOKENS])).toEqual([]);
  return lines;
}

const SET_TOKEN =
  "Proxmox API token (user@realm!name=uuid): pulumi config set --secret proxmoxApiToken, or PROXMOX_VE_API_TOKEN";
const setKey = (what: string, key: string, variable: string): string =>
  `SSH private key for root on ${what}: pulumi config set --secret ${key} < FILE, or ${variable}=FILE`;
const SET_HOST_KEY = setKey("the Proxmox host", "hostPrivateKey", "PROXMOX_K3S_HOST_SSH_KEY_FILE");
const SET_NODE_KEY = setKey("the nodes", "nodePrivateKey", "PROXMOX_K3S_NODE_SSH_KEY_FILE");

it("accepts valid credentials", () => {
  expect(readCredentials(config(GOOD), [other.public, node.public])).toEqual({
    values: { apiToken: TOKEN, hostKey: host.private, nodeKey: node.private },
    missing: [],
    problems: [],
  });
  expect(readCredentials(config({}), []).missing.map(({ configKey }) => configKey)).toEqual(Object.keys(GOOD));
});

it("accepts a token with a line break at its end, from the config and from the environment", () => {
  expect(readCredentials(config({ ...GOOD, proxmoxApiToken: `${TOKEN}\n` }), [node.public]).values.apiToken).toBe(
    TOKEN,
  );
  process.env["PROXMOX_VE_API_TOKEN"] = `${TOKEN}\r\n`;
  expect(readCredentials(config({}), []).values.apiToken).toBe(TOKEN);
});

describe("a token of an invalid form is a problem, and is not sent", () => {
  it.each([
    [UUID, 'but has no "@", no "!" and no "=": the token\'s id is missing before its secret'],
    ["pulumi@pve!k3s", 'but has no "="'],
    [`pulumi!k3s=${UUID}`, 'but has no "@"'],
    [`pulumi@pve=${UUID}`, 'but has no "!"'],
    [`pulumi!k3s:${UUID}`, 'but has no "@" and no "="'],
    [`PVEAPIToken=${TOKEN}`, 'without the header\'s "PVEAPIToken="'],
    [`pulumi@pve!k3s=${UUID.slice(0, -1)}`, 'but the part after the "=" is not a UUID'],
    [`pulumi @pve!k3s=${UUID}`, 'but the part before the "=" has another form'],
    ["", "but is empty"],
  ])("%#: %s", (token, words) => {
    const given = config({ ...GOOD, proxmoxApiToken: token });
    expect(problemsOf(given)).toEqual([`proxmoxApiToken: must be user@realm!name=uuid, ${words} → ${SET_TOKEN}`]);
    expect(readCredentials(given, [node.public]).values).toEqual({ hostKey: host.private, nodeKey: node.private });
  });
});

it("refuses each credential that is in plain text in the stack's file", () => {
  const given = config(GOOD, Object.keys(GOOD));
  expect(problemsOf(given)).toEqual(
    Object.keys(GOOD).map(
      (key) =>
        `${key}: is in plain text in the stack's config → create a new one, because others could read this one, then pulumi config set --secret ${key}`,
    ),
  );
  expect(readCredentials(given, [node.public]).values).toEqual({});
});

describe("private keys", () => {
  const encrypted = generateKeyPairSync("ec", {
    namedCurve: "P-256",
    privateKeyEncoding: { type: "sec1", format: "pem", cipher: "aes-256-cbc", passphrase: "sesame" },
    publicKeyEncoding: { type: "spki", format: "pem" },
  }).privateKey;

  it.each([
    ["a word", "sesame-open-please", "not an SSH private key"],
    ["a public half", `${host.public} me@here\n`, "this is a public key; set the private key"],
    ["a path", "~/.ssh/proxmox-k3s-host", "this is a path; set the content of the file"],
    ["a key with a passphrase", encrypted, /^the key has a passphrase; the program needs a key without one/],
  ])("names what was set instead of a key: %s", (_, key, words) => {
    const [problem, ...others] = problemsOf(config({ ...GOOD, hostPrivateKey: key }));
    expect(others).toEqual([]);
    expect(problem).toMatch(/^hostPrivateKey: /);
    expect(problem!.slice("hostPrivateKey: ".length).replace(` → ${SET_HOST_KEY}`, "")).toEqual(
      typeof words === "string" ? words : expect.stringMatching(words),
    );
  });

  it("detects swapped keys", () => {
    expect(problemsOf(config({ ...GOOD, hostPrivateKey: node.private, nodePrivateKey: host.private }))).toEqual([
      "hostPrivateKey and nodePrivateKey are swapped: the public key of hostPrivateKey is in ssh.authorizedKeys, that of nodePrivateKey is not → exchange the two values",
    ]);
  });

  it("names the line that is missing in authorizedKeys", () => {
    expect(problemsOf(config({ ...GOOD, nodePrivateKey: other.private }))).toEqual([
      `nodePrivateKey: its public key is not in ssh.authorizedKeys, so no node would accept it → add to cluster.ssh.authorizedKeys: "${other.public}"; or set nodePrivateKey to the private key of one that is there`,
    ]);
  });

  it("reads a key from the file that the environment names, and never shows a key that was set instead of a path", () => {
    process.env["PROXMOX_K3S_HOST_SSH_KEY_FILE"] = path.join(folder, "none");
    process.env["PROXMOX_K3S_NODE_SSH_KEY_FILE"] = node.private;
    expect(problemsOf(config({ proxmoxApiToken: TOKEN }))).toEqual([
      `PROXMOX_K3S_HOST_SSH_KEY_FILE: names ${path.join(folder, "none")}, which cannot be read: ENOENT → ${SET_HOST_KEY}`,
      `PROXMOX_K3S_NODE_SSH_KEY_FILE: must be the path of the file with the key, but is a credential itself → ${SET_NODE_KEY}`,
    ]);
    fs.writeFileSync(path.join(folder, "key"), node.private);
    process.env["PROXMOX_K3S_NODE_SSH_KEY_FILE"] = path.join(folder, "key");
    expect(readCredentials(config({}), [node.public]).values).toEqual({ nodeKey: node.private });
  });
});
