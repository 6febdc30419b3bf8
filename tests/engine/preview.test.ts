import * as fs from "node:fs";
import { Homelab } from "../support/homelab";
import { nameOf, type PreviewStep, unknowns } from "../support/previewSteps";
import { secretsIn } from "../support/secretScan";

/** What a person sees before anything is made, on the real engine. */

jest.setTimeout(300_000);

let lab: Homelab;
beforeAll(async () => {
  lab = await Homelab.start();
});
afterAll(() => lab?.dispose());

/** The resource type of a container. */
const CONTAINER = "proxmoxve:index/containerLegacy:ContainerLegacy";

describe("the first preview of Pulumi.homelab.yaml, without a credential and without a network", () => {
  let steps: PreviewStep[];
  let warnings: readonly string[];
  beforeAll(async () => {
    const credentials = { ...lab.env };
    lab.takeCredentials();
    const preview = await lab.preview();
    Object.assign(lab.env, credentials);
    expect([preview.code, preview.errors]).toEqual([0, []]);
    steps = JSON.parse(preview.stdout).steps;
    warnings = preview.warnings;
  });
  const inputsOf = (name: string): Record<string, unknown> =>
    steps.find((step) => nameOf(step) === name && step.newState.type === CONTAINER)?.newState.inputs ?? {};

  it("creates every resource in the design's table, and nothing else", () => {
    expect(new Set(steps.map(({ op }) => op))).toEqual(new Set(["create"]));
    const nodes = ["k3s-master", "k3s-worker-01", "k3s-worker-02"];
    const scripts = ["lxc", "guard", "host-key", "artifacts", "leave", "k3s", "ready"];
    const cluster = [
      ...["anchor", "agent-token", "server-token", "roster", "preflight"],
      ...["release-sums", "ca-hash", "kubeconfig"],
    ];
    expect(steps.map((step) => `${step.newState.type.split(":").at(-1)} ${nameOf(step)}`).sort()).toEqual(
      [
        "Stack proxmox-k3s-homelab",
        "K3sCluster homelab",
        "proxmoxve homelab",
        ...cluster.map((name) => `${TYPES[name] ?? "Command"} homelab-${name}`),
        ...nodes.flatMap((name) => [`K3sNode ${name}`, `LxcK3sContainer ${name}`, `ContainerLegacy ${name}`]),
        ...nodes.flatMap((name) => scripts.map((script) => `Command ${name}-${script}`)),
      ].sort(),
    );
  });

  it.each([
    { name: "k3s-master", vmId: 100, address: "192.168.2.20", cores: 2, memory: 4096, disk: 32 },
    { name: "k3s-worker-01", vmId: 102, address: "192.168.2.21", cores: 4, memory: 8192, disk: 50 },
    { name: "k3s-worker-02", vmId: 103, address: "192.168.2.22", cores: 4, memory: 8192, disk: 50 },
  ])("shows $name exactly", ({ name, vmId, address, cores, memory, disk }) => {
    expect(inputsOf(name)).toMatchObject({
      nodeName: "pve",
      vmId,
      tags: ["k3s-homelab"],
      operatingSystem: { templateFileId: "local:vztmpl/ubuntu-22.04-standard_22.04-1_amd64.tar.zst", type: "ubuntu" },
      unprivileged: false,
      cpu: { cores },
      memory: { dedicated: memory, swap: 0 },
      disk: { datastoreId: "local-lvm", size: disk },
      initialization: {
        hostname: name,
        dns: { servers: ["192.168.2.1"] },
        ipConfigs: [{ ipv4: { address: `${address}/24`, gateway: "192.168.2.1" } }],
      },
      networkInterfaces: [{ name: "eth0", bridge: "vmbr0" }],
    });
  });

  // Connections and the standard input of K3s' installation are secret as a whole, so the preview hides them.
  it("knows all values that are not random, secret or assigned later", () => {
    const found = steps.flatMap((step) =>
      unknowns(step.newState.inputs ?? {}).map(
        (path) => `${nameOf(step).replace(/^(k3s-master|k3s-worker-\d\d)/, "<node>")} ${path}`,
      ),
    );
    expect([...new Set(found)].sort()).toEqual([
      "<node> description", // the cluster's random ID, and the ID of the guest's creation
      "<node>-artifacts stdin", // the checksums of a release that is not pinned
      "<node>-artifacts triggers.0", // the second of these two
      "<node>-guard stdin",
      "<node>-guard triggers.0",
      "<node>-host-key stdin",
      "<node>-host-key triggers.0",
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
    ]);
  });

  it("warns once of the missing credentials and of the recipe's risk, and opens no connection", () => {
    const missing = warnings.filter((text) => text.includes("without credentials"));
    expect(missing).toHaveLength(1);
    for (const name of ["proxmoxApiToken", "hostPrivateKey", "nodePrivateKey"]) expect(missing[0]).toContain(name);
    expect(warnings.filter((text) => text.includes("root on the Proxmox node"))).toHaveLength(1);
    expect(lab.network.connections).toBe(0);
  });
});

const TYPES: Readonly<Record<string, string>> = {
  anchor: "RandomId",
  "agent-token": "RandomPassword",
  "server-token": "RandomPassword",
};

describe("what stops a run before it does anything", () => {
  const config = (): string => fs.readFileSync(lab.stackFile, "utf8");
  let saved: string;
  let env: Record<string, string>;
  beforeEach(() => {
    saved = config();
    env = { ...lab.env };
  });
  afterEach(() => {
    fs.writeFileSync(lab.stackFile, saved);
    Object.assign(lab.env, env);
    expect(lab.network.connections).toBe(0);
  });

  it("an up without credentials: one message that lists all three", async () => {
    lab.takeCredentials();
    const { code, errors, changes } = await lab.up();
    expect(code).not.toBe(0);
    const [message, ...others] = errors.filter((text) => text.includes("credentials"));
    expect(others).toEqual([]);
    expect(
      message
        ?.split("\n")
        .slice(1)
        .map((line) => line.trim().replace(/:.*/s, "")),
    ).toEqual([
      "- Proxmox API token (user@realm!name=uuid)",
      "- SSH private key for root on the Proxmox host",
      "- SSH private key for root on the nodes",
    ]);
    expect(Object.keys(changes).filter((name) => name !== "homelab")).toEqual([]);
  });

  it("a wrong config: every problem in one message, and no stack trace", async () => {
    lab.edit((cluster) => {
      cluster.version = "1.36.3";
      cluster.network.gateway = "192.168.3.1";
      cluster.pools.worker.memroy = "8GB";
    });
    const { code, errors, stdout, stderr } = await lab.pulumi("preview");
    expect(code).not.toBe(0);
    const all = errors.join("\n");
    for (const path of ["cluster.version: ", "cluster.network.gateway: ", "cluster.pools.worker"])
      expect(all).toContain(path);
    expect(stdout + stderr).not.toMatch(/^\s+at .*\.ts:\d+/m);
  });
});

describe("invalid credentials are named and not shown, by the preview and by the doctor", () => {
  const uuid = "0a1b2c3d-1111-2222-3333-444455556666";
  const credentials = async (): Promise<string[]> => {
    const { code, stdout } = await lab.doctor("--json");
    expect(code).toBe(1);
    expect(secretsIn(stdout, [{ name: "the token", value: uuid }])).toEqual([]);
    const { findings } = JSON.parse(stdout) as { findings: { check: string; seen: string }[] };
    expect(findings).toContainEqual({ level: "skip", check: "token", seen: "not checked: there is no token" });
    return findings.filter(({ check }) => check === "credentials").map(({ seen }) => seen);
  };
  const previewErrors = async (): Promise<string> => {
    const { code, errors, stdout, stderr } = await lab.pulumi("preview");
    expect(code).not.toBe(0);
    // Without the events: they begin with the stack's whole plain config.
    expect(secretsIn(stdout + stderr, [{ name: "the token", value: uuid }])).toEqual([]);
    return errors.join("\n");
  };

  it("only a token's secret, the usual mistake", async () => {
    const { PROXMOX_VE_API_TOKEN: token } = lab.env;
    lab.env["PROXMOX_VE_API_TOKEN"] = uuid;
    const words = 'proxmoxApiToken: must be user@realm!name=uuid, but has no "@", no "!" and no "="';
    expect(await credentials()).toEqual([expect.stringContaining(words)]);
    expect(await previewErrors()).toContain(words);
    lab.env["PROXMOX_VE_API_TOKEN"] = token!;
  });

  it("a token in plain text in the stack's file", async () => {
    await lab.pulumi("config", "set", "--plaintext", "proxmoxApiToken", `pulumi@pve!k3s=${uuid}`);
    const words = "proxmoxApiToken: is in plain text in the stack's config";
    expect(await credentials()).toEqual([words]);
    expect(await previewErrors()).toContain(
      `${words} (create a new one, because others could read this one, then pulumi config set --secret proxmoxApiToken)`,
    );
  });
});
