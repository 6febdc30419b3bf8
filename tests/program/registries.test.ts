import { readArguments } from "../../remote/script";
import { isSecret, plainTexts, recordProgram, type Recording, reveal, stackCluster } from "../support/program";
import { newKeyPair } from "../support/sshKeys";
import { changed } from "../unit/config/support";

/* Registries of images: what a node gets, and that no password is in plain text. */

jest.setTimeout(60_000);

const agent = process.env["SSH_AUTH_SOCK"];
// The tests must not use or stop a developer's SSH agent.
beforeAll(() => delete process.env["SSH_AUTH_SOCK"]);
afterAll(() => {
  if (agent !== undefined) process.env["SSH_AUTH_SOCK"] = agent;
});

const PASSWORD = "sesame-open-please";
const AUTH = JSON.stringify({ auths: { "registry.lan:5000": { username: "reader", password: PASSWORD } } });
const [host, node] = [newKeyPair(), newKeyPair()];
const secrets = {
  proxmoxApiToken: "pulumi@pve!test=11111111-2222-3333-4444-555555555555",
  hostPrivateKey: host.private,
  nodePrivateKey: node.private,
};
const registries = {
  mirrors: { "docker.io": { endpoints: ["https://registry.lan:5000"] } },
  configs: { "registry.lan:5000": { auth: true } },
};
const withKey = (file?: string) => changed(stackCluster(file), { ssh: { authorizedKeys: [node.public] } });
const cluster = (file?: string) => changed(withKey(file), { k3s: { registries } });

const steps = ({ resources }: Recording) => resources.filter(({ name }) => name.endsWith("-k3s"));

test.each(["Pulumi.homelab.yaml", "Pulumi.mizar.yaml"])(
  "every node of %s gets mirrors and login as a secret; what the state shows has none",
  async (file) => {
    const up = await recordProgram({ cluster: cluster(file), secrets: { ...secrets, registryAuth: AUTH } });
    expect(steps(up)).toHaveLength(3);
    for (const { inputs, options } of steps(up)) {
      expect(isSecret(inputs["stdin"])).toBe(true);
      expect(reveal(inputs["stdin"])).toContain(
        `cat >"$WORK/secret.REGISTRIES_YAML" <<'PROXMOX_K3S_END'
configs:
  registry.lan:5000:
    auth:
      password: ${PASSWORD}
      username: reader
mirrors:
  docker.io:
    endpoint:
      - https://registry.lan:5000
PROXMOX_K3S_END`,
      );
      const shown = readArguments(String(inputs["create"]))["REGISTRIES"];
      expect(shown).toContain("auth: a secret");
      expect(options.ignoreChanges).toEqual([]);
    }
    for (const { inputs } of up.resources) for (const text of plainTexts(inputs)) expect(text).not.toContain(PASSWORD);
    expect(JSON.stringify(up.logs)).not.toContain(PASSWORD);
  },
);

test("a changed password alone restarts K3s on the nodes that have the former one, as the preview says", async () => {
  const given = (registryAuth: string) => ({ cluster: cluster(), secrets: { ...secrets, registryAuth } });
  const up = await recordProgram(given(AUTH));
  // A node that failed before it had K3s has none to restart.
  const recorded = up.resources.filter(({ name }) => name !== "k3s-worker-02-k3s");
  const state = Object.fromEntries(recorded.map(({ urn, type, inputs }) => [urn, { type, outputs: reveal(inputs) }]));
  const said = async (auth: string) =>
    (await recordProgram({ ...given(auth), preview: true, state })).logs
      .map(({ message }) => message)
      .filter((message) => message.includes("registries;"));
  expect(await said(AUTH)).toEqual([]);
  expect(await said(AUTH.replace(PASSWORD, "mustard"))).toEqual(
    ["k3s-master", "k3s-worker-01"].map((name) => `${name}: K3s restart, for its registries; one node at a time`),
  );
});

test("a preview without the secret names it, and shows no change of unknown values", async () => {
  const preview = await recordProgram({ cluster: cluster(), secrets, preview: true });
  const warning = preview.logs.find(({ message }) => message.includes("without credentials"));
  expect(warning?.message.split("\n")).toEqual([
    expect.any(String),
    expect.stringContaining("pulumi config set --secret registryAuth < FILE"),
  ]);
  for (const { options } of steps(preview)) expect(options.ignoreChanges).toEqual(["stdin"]);
});

test("an up without the secret, with it in plain text, or without one registry's login creates nothing", async () => {
  const up = (plain: Readonly<Record<string, string>>, own: Readonly<Record<string, string>> = {}) =>
    recordProgram({ cluster: cluster(), secrets: { ...secrets, ...own }, plain });
  await expect(up({})).rejects.toThrow("pulumi config set --secret registryAuth < FILE");
  await expect(up({ registryAuth: AUTH })).rejects.toThrow("registryAuth: is in plain text in the stack's config");
  await expect(up({}, { registryAuth: AUTH.replace("registry.lan:5000", "registry.lan") })).rejects.toThrow(
    "registryAuth: has no user and password for registry.lan:5000; it has registry.lan",
  );
});

test("without registries the secret is not needed, and no node gets a file", async () => {
  const up = await recordProgram({ cluster: withKey(), secrets });
  for (const { inputs } of steps(up)) {
    expect(readArguments(String(inputs["create"]))["REGISTRIES"]).toBe("");
    expect(reveal(inputs["stdin"])).not.toContain('secret.REGISTRIES_YAML" <<');
  }
});
