import { API_TOKEN, cluster, secrets } from "../support/homelabProgram";
import { recordProgram, unknownPaths } from "../support/program";
import { newKeyPair } from "../support/sshKeys";

/* Credentials that are missing or unusable, and secrets that no log may contain. */

describe("a first preview without Proxmox and without a credential", () => {
  it("shows everything except secrets, host keys, the cluster's random id and the guests' creation ids", async () => {
    const preview = await recordProgram({ preview: true });
    const unknown = preview.resources.flatMap((r) =>
      unknownPaths(r.inputs).map((at) => `${r.name.replace(/^(k3s-master|k3s-worker-\d+)/, "<node>")} ${at}`),
    );
    expect([...new Set(unknown)].sort()).toEqual(
      [
        "<node> description",
        "<node>-artifacts connection",
        "<node>-artifacts stdin",
        "<node>-artifacts triggers.0",
        "<node>-guard stdin",
        "<node>-guard triggers.0",
        "<node>-host-key stdin",
        "<node>-host-key triggers.0",
        "<node>-k3s connection",
        "<node>-k3s stdin",
        "<node>-k3s triggers.0",
        "<node>-leave stdin",
        "<node>-leave triggers.0",
        "<node>-lxc stdin",
        "<node>-lxc triggers.0",
        "<node>-ready stdin",
        "<node>-ready triggers.0",
        "homelab-ca-hash stdin",
        "homelab-ca-hash triggers.0",
        "homelab-kubeconfig stdin",
        "homelab-kubeconfig triggers.0",
        "homelab-preflight stdin",
        "homelab-roster stdin",
      ].sort(),
    );
    const warning = preview.logs.find((log) => log.message.includes("without credentials"));
    expect(warning?.message.split("\n")).toHaveLength(4);
    expect(preview.logs.filter(({ message }) => message.includes("root on the Proxmox node"))).toHaveLength(1);
  });

  it("fails as an up, with one message that lists everything that is missing", async () => {
    await expect(recordProgram({ preview: false })).rejects.toThrow(
      /missing or unusable:\n.*Proxmox API token.*\n.*proxmox host.*\n.*nodes/i,
    );
  });
});

describe("unusable credentials", () => {
  it("names a key that no node would accept, and shows its public key", async () => {
    const foreign = newKeyPair();
    const [type, key] = foreign.public.split(" ");
    await expect(
      recordProgram({ cluster, secrets: { ...secrets, nodePrivateKey: foreign.private }, preview: true }),
    ).rejects.toThrow(
      `nodePrivateKey: its public key is not in ssh.authorizedKeys, so no node would accept it (add to cluster.ssh.authorizedKeys: "${type} ${key}"`,
    );
  });

  it.each([true, false])("refuses one that is in plain text in the config (in a preview: %s)", async (preview) => {
    const { proxmoxApiToken, ...others } = secrets;
    const run = recordProgram({ cluster, secrets: others, plain: { proxmoxApiToken }, preview });
    const failure = await run.then(
      () => "",
      (error: Error) => error.message,
    );
    expect(failure).toContain(
      "proxmoxApiToken: is in plain text in the stack's config (create a new one, because others could read this one, then pulumi config set --secret proxmoxApiToken)",
    );
    expect(failure).not.toContain(API_TOKEN.split("=")[1]);
  });

  it("names a value that is not a key, without showing it", async () => {
    const run = recordProgram({ cluster, secrets: { ...secrets, hostPrivateKey: "sesame" } });
    const failure = await run.then(
      () => "",
      (error: Error) => error.message,
    );
    expect(failure).toContain("hostPrivateKey: not an SSH private key");
    expect(failure).not.toContain("sesame");
  });
});

it("logs no debug messages of the SDK, which have every answer of the engine in plain text", async () => {
  const { logs } = await recordProgram({ cluster, secrets });
  expect(logs.filter(({ severity, message }) => severity === "debug" && message.includes("RPC"))).toEqual([]);
});

describe("an SSH agent that is gone", () => {
  beforeAll(() => (process.env["SSH_AUTH_SOCK"] = "/nonexistent/agent"));
  afterAll(() => delete process.env["SSH_AUTH_SOCK"]);

  it("fails an up with its remedy, but not a preview", async () => {
    await expect(recordProgram({ cluster, secrets })).rejects.toThrow(
      "SSH_AUTH_SOCK names /nonexistent/agent, where no agent answers (ENOENT); unset SSH_AUTH_SOCK",
    );
    await expect(recordProgram({ cluster, secrets, preview: true })).resolves.toBeDefined();
  });
});
