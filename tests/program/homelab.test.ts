import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

import {
  CA_HASH,
  isSecret,
  plainTexts,
  recordProgram,
  type Recording,
  reveal,
  stackCluster,
  unknownPaths,
} from "../support/program";

// The program and its SDK are loaded anew for each recording, on a machine that may be busy.
jest.setTimeout(60_000);

const COMMAND = "command:remote:Command";
const CONTAINER = "proxmoxve:index/containerLegacy:ContainerLegacy";
const NODES = ["k3s-master", "k3s-worker-01", "k3s-worker-02"];

/** A key pair made for this run. */
function keyPair(): { privateKey: string; publicKey: string } {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), "keys-"));
  execFileSync("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", path.join(dir, "key")]);
  const read = (name: string) => fs.readFileSync(path.join(dir, name), "utf8");
  const pair = { privateKey: read("key"), publicKey: read("key.pub").trim() };
  fs.rmSync(dir, { recursive: true });
  return pair;
}

const host = keyPair();
const node = keyPair();
const API_TOKEN = "pulumi@pve!test=11111111-2222-3333-4444-555555555555";
const secrets = { proxmoxApiToken: API_TOKEN, hostPrivateKey: host.privateKey, nodePrivateKey: node.privateKey };
const cluster: Record<string, unknown> = { ...stackCluster(), ssh: { authorizedKeys: [node.publicKey] } };

const saved = { ...process.env };
beforeAll(() => {
  for (const name of ["PROXMOX_VE_API_TOKEN", "PROXMOX_K3S_HOST_SSH_KEY_FILE", "PROXMOX_K3S_NODE_SSH_KEY_FILE"])
    delete process.env[name];
  // A person's agent is theirs to keep alive.
  delete process.env["SSH_AUTH_SOCK"];
});
afterAll(() => {
  process.env = saved;
});

describe("the homelab stack", () => {
  let up: Recording;
  beforeAll(async () => {
    up = await recordProgram({ cluster, secrets });
  });
  const urnOf = (name: string, type?: string) => up.find(name, type).urn;

  it("has the resources of the design's table for each node, under the node's components", () => {
    expect(up.resources.map((r) => `${r.type.split(":").at(-1)} ${r.name}`).sort()).toEqual(
      [
        "Stack proxmox-k3s-homelab",
        "K3sCluster homelab",
        "RandomId homelab-anchor",
        "RandomPassword homelab-agent-token",
        "RandomPassword homelab-server-token",
        "proxmoxve homelab",
        "Command homelab-roster",
        "Command homelab-preflight",
        "Command homelab-release-sums",
        "Command homelab-ca-hash",
        "Command homelab-kubeconfig",
        ...NODES.flatMap((name) => [
          `K3sNode ${name}`,
          `LxcK3sContainer ${name}`,
          `ContainerLegacy ${name}`,
          ...["guard", "lxc", "host-key", "artifacts", "leave", "k3s", "ready"].map(
            (step) => `Command ${name}-${step}`,
          ),
        ]),
      ].sort(),
    );
    expect(new Set(up.resources.map((r) => r.urn)).size).toBe(up.resources.length);
    for (const r of up.resources.filter((r) => !r.type.endsWith(":Stack"))) expect(r.parent).not.toBe("");
  });

  it("asks Proxmox VE for exactly the values of S1 to S3", () => {
    expect(
      NODES.map((name) => {
        const { inputs } = up.find(name, CONTAINER);
        return [
          inputs["vmId"],
          inputs["cpu"],
          inputs["memory"],
          inputs["disk"],
          inputs["initialization"],
          inputs["networkInterfaces"],
        ];
      }),
    ).toEqual([
      [
        100,
        { cores: 2 },
        { dedicated: 4096, swap: 0 },
        { datastoreId: "local-lvm", size: 32 },
        initialization("k3s-master", 20),
        nic,
      ],
      [
        102,
        { cores: 4 },
        { dedicated: 8192, swap: 0 },
        { datastoreId: "local-lvm", size: 50 },
        initialization("k3s-worker-01", 21),
        nic,
      ],
      [
        103,
        { cores: 4 },
        { dedicated: 8192, swap: 0 },
        { datastoreId: "local-lvm", size: 50 },
        initialization("k3s-worker-02", 22),
        nic,
      ],
    ]);
    for (const name of NODES) {
      expect(up.find(name, CONTAINER).inputs).toMatchObject({
        description: expect.stringMatching(
          /^creation [0-9a-f]{16} of proxmox-k3s proxmox-k3s\/homelab\/homelab 0123456789abcdef$/,
        ),
        operatingSystem: { templateFileId: "local:vztmpl/ubuntu-22.04-standard_22.04-1_amd64.tar.zst", type: "ubuntu" },
        unprivileged: false,
        startOnBoot: true,
        timeoutDelete: 300,
        poolId: "homelab",
      });
      expect(up.find(name, CONTAINER).inputs).not.toHaveProperty("features");
      expect(up.find(name, CONTAINER).options.ignoreChanges).toEqual(expect.arrayContaining(["features", "poolId"]));
    }
  });

  it("claims the VMID before each creation and each change of a guest", () => {
    for (const name of NODES) {
      const claim = `${name}-claim`;
      expect(up.find(name, CONTAINER).options.hooks).toEqual({
        beforeCreate: [claim],
        beforeUpdate: ["homelab-disk", claim, "homelab-reboot"],
        afterUpdate: ["homelab-rebooted"],
      });
    }
  });

  it("lets changes of K3s take turns, one set of hooks for all nodes", () => {
    for (const name of NODES) {
      expect(up.find(`${name}-k3s`, COMMAND).options.hooks).toEqual({
        beforeCreate: name === "k3s-master" ? ["k3s-master-join"] : [],
        beforeUpdate: ["homelab-k3s-turn"],
        afterUpdate: ["homelab-k3s-changed"],
      });
    }
    const others = up.resources.filter(({ name, type }) => type === COMMAND && !name.endsWith("-k3s"));
    for (const { options } of others) expect(options.hooks.beforeUpdate).toEqual([]);
  });

  it("leaves to people what the config has no key for, and to creation what counts there alone", () => {
    const theirs = [
      ...["mountPoints", "devicePassthroughs", "hookScriptFileId", "tags", "protection", "startup", "cpu.limit"],
      ...["disk.mountOptions", "networkInterfaces[0].firewall", "initialization.ipConfigs[0].ipv6"],
    ];
    const ours = [
      ...["cpu", "cpu.cores", "disk", "disk.size", "memory", "networkInterfaces", "networkInterfaces[0]"],
      ...["initialization", "initialization.ipConfigs", "operatingSystem", "startOnBoot", "started"],
    ];
    for (const name of NODES) {
      const { ignoreChanges } = up.find(name, CONTAINER).options;
      const atCreation = ["operatingSystem.templateFileId", "disk.datastoreId", "poolId"];
      expect(ignoreChanges).toEqual(expect.arrayContaining([...theirs, ...atCreation]));
      expect(ignoreChanges.filter((path) => ours.includes(path))).toEqual([]);
    }
  });

  it("gives each guest a creation id that does not change", () => {
    const numbers = NODES.map((name) => String(up.find(name, CONTAINER).inputs["description"]).split(" ")[1]);
    expect(new Set(numbers).size).toBe(NODES.length);
    for (const name of NODES) expect(up.find(name, CONTAINER).options.ignoreChanges).toContain("description");
  });

  it("checks the host key of every connection, and limits every attempt to connect", () => {
    const commands = up.resources.filter((r) => r.type === COMMAND);
    expect(commands).toHaveLength(26);
    for (const command of commands) {
      expect(isSecret(command.inputs["connection"])).toBe(true);
      const connection = reveal(command.inputs["connection"]) as Record<string, unknown>;
      const isOnNode = /-(artifacts|k3s)$/.test(command.name);
      expect(connection["hostKey"]).toMatch(isOnNode ? /^ssh-ed25519 AAAAC3NzaC1lZDI1NTE5$/ : /^ssh-ed25519 /);
      expect(connection["perDialTimeout"]).toBe(5);
      expect(command.inputs["addPreviousOutputInEnv"]).toBe(false);
      expect(command.options.deleteBeforeReplace).toBe(true);
      expect(command.options.customTimeouts.delete).not.toBe("");
    }
  });

  it("gives a deletion only to the leave, the guard and the roster, and a creation to all except the leave and the guard", () => {
    const commands = up.resources.filter((r) => r.type === COMMAND);
    const withDelete = commands.filter((r) => r.inputs["delete"] !== undefined).map((r) => r.name);
    expect(withDelete.sort()).toEqual(
      ["homelab-roster", ...NODES.flatMap((name) => [`${name}-leave`, `${name}-guard`])].sort(),
    );
    const withoutCreate = commands.filter((r) => r.inputs["create"] === undefined).map((r) => r.name);
    expect(withoutCreate.sort()).toEqual(NODES.flatMap((name) => [`${name}-leave`, `${name}-guard`]).sort());
  });

  it("deletes a leave with the anchor, and a node's other commands with its machine", () => {
    for (const name of NODES) {
      const guest = urnOf(name, CONTAINER);
      const creation = String(up.find(name, CONTAINER).inputs["description"]).split(" ")[1];
      expect(up.find(`${name}-leave`).options.deletedWith).toBe(urnOf("homelab-anchor"));
      for (const step of ["lxc", "host-key", "artifacts", "k3s", "ready"])
        expect(up.find(`${name}-${step}`).options.deletedWith).toBe(guest);
      for (const step of ["guard", "lxc", "host-key", "artifacts", "leave", "k3s", "ready"]) {
        expect(up.find(`${name}-${step}`).options.replaceWith).toEqual([guest]);
        expect(reveal(up.find(`${name}-${step}`).inputs["triggers"])).toEqual([creation]);
      }
      // The guard has to speak before the guest goes.
      expect(up.find(`${name}-guard`).options.deletedWith).toBe("");
    }
  });

  it("has no deletion in a command that is deletedWith its machine: the engine skips it in a replacement", () => {
    const guests = NODES.map((name) => urnOf(name, CONTAINER));
    const withMachine = up.resources.filter(({ options }) => guests.includes(options.deletedWith));
    expect(withMachine.map(({ name }) => name)).toEqual(expect.arrayContaining(NODES.map((name) => `${name}-k3s`)));
    for (const { name, inputs } of withMachine) expect([name, "delete" in inputs]).toEqual([name, false]);
  });

  it("has an anchor that nothing replaces: the engine would replace every leave with it, and so run them all", () => {
    expect(up.find("homelab-anchor").inputs).toEqual({ byteLength: 8 });
  });

  it("orders: leave and files before K3s, agents' K3s after the server's, every machine after the roster", () => {
    const depends = (name: string, type?: string) => up.find(name, type).options.dependencies;
    for (const name of NODES) {
      expect(depends(`${name}-k3s`)).toEqual(
        expect.arrayContaining([urnOf(`${name}-leave`), urnOf(`${name}-artifacts`)]),
      );
      expect(depends(`${name}-ready`)).toContain(urnOf(`${name}-k3s`));
      expect(depends(name, CONTAINER)).toEqual(
        expect.arrayContaining([urnOf("homelab-roster"), urnOf("homelab-preflight")]),
      );
    }
    for (const agent of NODES.slice(1)) {
      expect(depends(`${agent}-leave`)).toContain(urnOf("k3s-master-k3s"));
      // Idle time of the cores and of the line: machines and files wait for no server.
      for (const early of [depends(agent, CONTAINER), depends(`${agent}-artifacts`)])
        expect(early.filter((urn) => urn.includes("k3s-master"))).toEqual([]);
    }
  });

  it("marks every secret as a secret", async () => {
    const values = [API_TOKEN, host.privateKey, node.privateKey, "the-generated-password"].map((text) => text.trim());
    for (const resource of up.resources) {
      for (const text of plainTexts(resource.inputs)) {
        for (const value of values) expect(text).not.toContain(value);
      }
    }
    for (const name of NODES) {
      const inputs = up.find(`${name}-k3s`).inputs;
      expect(isSecret(inputs["stdin"])).toBe(true);
      expect(reveal(inputs["stdin"])).toContain("the-generated-password");
    }
    for (const output of ["kubeconfig", "token", "agentToken"]) {
      expect(await (up.outputs[output] as { isSecret: Promise<boolean> }).isSecret).toBe(true);
    }
  });

  it("gives agents the agents' token in K10 form, and never the server's", () => {
    expect(reveal(up.find("k3s-worker-01-k3s").inputs["stdin"])).toContain(
      `K10${CA_HASH}::node:the-generated-password`,
    );
    // But for the script's own pattern of it.
    expect(reveal(up.find("k3s-worker-01-k3s").inputs["stdin"])).not.toMatch(/::server:(?!%s)/);
    expect(reveal(up.find("k3s-worker-01-k3s").inputs["stdin"])).not.toContain('secret.AGENT_TOKEN" <<');
  });

  it("does not repeat what its preview says that the recipe means for the host", () => {
    expect(up.logs.filter(({ message }) => message.includes("root on the Proxmox node"))).toEqual([]);
  });
});

const initialization = (hostname: string, last: number) => ({
  hostname,
  dns: { servers: ["192.168.2.1"] },
  ipConfigs: [{ ipv4: { address: `192.168.2.${last}/24`, gateway: "192.168.2.1" } }],
});
const nic = [{ name: "eth0", bridge: "vmbr0" }];

describe("a first preview without Proxmox and without a credential", () => {
  it("knows everything except secrets, host keys, the cluster's random id and the guests' creation ids", async () => {
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
    const foreign = keyPair();
    const [type, key] = foreign.publicKey.split(" ");
    await expect(
      recordProgram({ cluster, secrets: { ...secrets, nodePrivateKey: foreign.privateKey }, preview: true }),
    ).rejects.toThrow(
      `nodePrivateKey: its public key is not in ssh.authorizedKeys, so no node would accept it (add to cluster.ssh.authorizedKeys: "${type} ${key}"`,
    );
  });

  it.each([true, false])("refuses one that the config holds in the clear (in a preview: %s)", async (preview) => {
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

describe("nodes that show their progress", () => {
  it("do it before their K3s, each at its own address; without the wish there is no such step", async () => {
    const up = await recordProgram({ cluster: { ...cluster, onboarding: { http: true } }, secrets });
    for (const [at, name] of NODES.entries()) {
      const { urn, inputs } = up.find(`${name}-page`, COMMAND);
      expect(inputs["create"]).toContain(`export ADDRESS='192.168.2.2${at}'\n`);
      expect(up.find(`${name}-k3s`, COMMAND).options.dependencies).toContain(urn);
      // Without the wish the page closes; a machine that goes takes it along. The host does it: a node may be down.
      expect(inputs["delete"]).toContain("export ACTION='delete'\n");
      expect(inputs["connection"]).toEqual(up.find(`${name}-leave`, COMMAND).inputs["connection"]);
    }
  });
});

describe("a pool that asks for packages", () => {
  it("gets them before its K3s, and no other node has such a step", async () => {
    const pools = cluster["pools"] as { worker: object };
    const worker = { ...pools.worker, packages: ["nfs-common", "jq"] };
    const up = await recordProgram({ cluster: { ...cluster, pools: { ...pools, worker } }, secrets });
    const steps = up.resources.filter(({ name }) => name.endsWith("-packages"));
    expect(steps.map(({ name }) => name).sort()).toEqual(["k3s-worker-01-packages", "k3s-worker-02-packages"]);
    for (const { urn, name, inputs, options } of steps) {
      const node = name.slice(0, -"-packages".length);
      expect(inputs["create"]).toContain("export PACKAGES='jq\nnfs-common'\nexport ISCSI='no'\n");
      expect(up.find(`${node}-k3s`, COMMAND).options.dependencies).toContain(urn);
      expect(options.dependencies).toContain(up.find(`${node}-host-key`, COMMAND).urn);
      expect(options.deletedWith).toBe(up.find(node, CONTAINER).urn);
    }
  });
});

describe("a pool with a disk for Longhorn", () => {
  it("has it mounted before its K3s, and the step that sees the node Ready gives it to Longhorn", async () => {
    const disks = [
      { serial: "data", size: "50GB" },
      { serial: "longhorn", size: "100GB", longhorn: true },
    ];
    const vms = {
      ...{
        kind: "vm",
        role: "agent",
        count: 1,
        hostname: "vm-{0}",
        template: 9000,
        cores: 2,
        memory: "4GB",
        disk: "20GB",
      },
      ...{ vmIds: { from: 120 }, addresses: { from: "192.168.2.40" }, disks, disksVmIds: { from: 320 } },
    };
    const pools = cluster["pools"] as object;
    const up = await recordProgram({ cluster: { ...cluster, pools: { ...pools, vms } }, secrets });
    const steps = up.resources.filter(({ name }) => name.endsWith("-storage"));
    expect(steps.map(({ name }) => name)).toEqual(["vm-1-storage"]);
    const [{ urn, inputs, options }] = steps as [(typeof steps)[number]];
    expect(inputs["create"]).toContain("export LONGHORN_DISKS='longhorn 100'\n");
    expect(inputs).not.toHaveProperty("delete");
    expect(options.dependencies).toContain(up.find("vm-1-host-key", COMMAND).urn);
    expect(up.find("vm-1-k3s", COMMAND).options.dependencies).toContain(urn);
    expect(up.find("vm-1-packages", COMMAND).inputs["create"]).toContain(
      "export PACKAGES='open-iscsi'\nexport ISCSI='yes'\n",
    );
    const ready = (name: string) => String(up.find(`${name}-ready`, COMMAND).inputs["create"]);
    expect(ready("vm-1")).toContain("export LABELS='node.longhorn.io/create-default-disk=config'\n");
    expect(ready("vm-1")).toContain("export LONGHORN_DISKS='longhorn 100'\n");
    expect(ready("k3s-worker-01")).toContain("export LONGHORN_DISKS=''\n");
  });
});

describe("three servers", () => {
  const SERVERS = ["k3s-master", "homelab-master-2", "homelab-master-3"];
  let up: Recording;
  beforeAll(async () => {
    const pools = cluster["pools"] as { master: object };
    const addresses = ["192.168.2.20", "192.168.2.30", "192.168.2.31"];
    const master = {
      ...pools.master,
      count: 3,
      vmIds: [100, 110, 111],
      addresses,
      startup: { order: 1, upDelay: "30s" },
    };
    up = await recordProgram({ cluster: { ...cluster, pools: { ...pools, master } }, secrets });
  });
  const dependsOn = (name: string, type = COMMAND) => up.find(name, type).options.dependencies;

  it("come one at a time: machine, leave and K3s wait until all earlier ones are Ready", () => {
    for (const [at, name] of SERVERS.entries()) {
      const earlier = SERVERS.slice(0, at).map((server) => up.find(`${server}-ready`).urn);
      for (const urns of [dependsOn(name, CONTAINER), dependsOn(`${name}-leave`)])
        expect(urns.filter((urn) => urn.endsWith("-ready"))).toEqual(earlier);
      expect(dependsOn(`${name}-k3s`)).toContain(up.find(`${name}-leave`).urn);
    }
  });

  it("have etcd, only their own names in their certificates, and a new machine for a new address", () => {
    for (const [at, name] of SERVERS.entries()) {
      const config = String(up.find(`${name}-k3s`, COMMAND).inputs["create"]);
      expect(config).toContain("cluster-init: true\n");
      expect(config).toContain(`tls-san:\n  - 192.168.2.${[20, 30, 31][at]}\n  - ${name}\n`);
      expect(config).not.toMatch(/^server:/m);
      expect(up.find(`${name}-ready`, COMMAND).inputs["create"]).toContain("ETCD='yes'");
      expect(up.find(name, CONTAINER).options.replaceOnChanges).toEqual(["initialization.ipConfigs[*].ipv4.address"]);
    }
  });

  it("have the start order of their pool, and agents without one have none", () => {
    for (const name of SERVERS) expect(up.find(name, CONTAINER).inputs["startup"]).toEqual({ order: 1, upDelay: 30 });
    expect(up.find("k3s-worker-01", CONTAINER).inputs).not.toHaveProperty("startup");
    for (const name of SERVERS) expect(up.find(name, CONTAINER).options.ignoreChanges).not.toContain("startup");
  });

  it("must all run before an agent's K3s", () => {
    const k3s = SERVERS.map((name) => up.find(`${name}-k3s`, COMMAND).urn);
    expect(dependsOn("k3s-worker-01-leave")).toEqual(expect.arrayContaining(k3s));
    expect(up.find("k3s-worker-01-ready", COMMAND).inputs["create"]).toContain("ETCD='no'");
  });
});
