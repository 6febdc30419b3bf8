import { cluster, COMMAND, CONTAINER, NODES, secrets } from "../support/homelabProgram";
import { CA_HASH, isSecret, plainTexts, recordProgram, type Recording, reveal, stateOf } from "../support/program";

/* The homelab's stack: which resources, with which inputs, options and order. */

describe("the homelab stack", () => {
  /** Of a new cluster, and of one of which the state records the identity. */
  let up: Recording, later: Recording;
  beforeAll(async () => {
    up = await recordProgram({ cluster, secrets });
    later = await recordProgram({ cluster, secrets, state: stateOf("homelab") });
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

  it("sends Proxmox VE exactly the values of S1 to S3", () => {
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
        beforeCreate: name === "k3s-master" ? ["homelab-first-ca-hash"] : [],
        beforeUpdate: ["homelab-k3s-turn"],
        afterUpdate: ["homelab-k3s-changed"],
      });
    }
    const others = up.resources.filter(({ name, type }) => type === COMMAND && !name.endsWith("-k3s"));
    for (const { options } of others) expect(options.hooks.beforeUpdate).toEqual([]);
  });

  it("ignores changes of what the config has no key for, and of what counts only at creation", () => {
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
      // The guard must run before the guest is removed.
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

  it("asks whether a server joins others, unless nothing of the cluster exists yet", () => {
    const before = (run: Recording) => NODES.map((name) => run.find(`${name}-k3s`).options.hooks.beforeCreate);
    expect(before(later)).toEqual([["k3s-master-join"], [], []]);
    expect(before(up)).toEqual([["homelab-first-ca-hash"], [], []]);
  });

  it("orders: leave and files before K3s, every machine after the roster", () => {
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
  });

  it("orders: agents' K3s after the server's; in a new cluster, their leaves after its leave, so that they leave first", () => {
    const depends = (name: string, type?: string) => up.find(name, type).options.dependencies;
    for (const agent of NODES.slice(1)) {
      const leave = `${agent}-leave`;
      expect(later.find(leave).options.dependencies).toContain(urnOf("k3s-master-k3s"));
      expect(depends(leave)).toContain(urnOf("k3s-master-leave"));
      expect(depends(leave)).not.toContain(urnOf("k3s-master-k3s"));
      // Otherwise cores and network would be idle: machines and files do not wait for a server.
      for (const early of [depends(agent, CONTAINER), depends(`${agent}-artifacts`)])
        expect(early.filter((urn) => urn.includes("k3s-master"))).toEqual([]);
    }
  });

  it("marks every secret as a secret", async () => {
    const values = [...Object.values(secrets), "the-generated-password"].map((text) => text.trim());
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
    // The script itself has only a pattern of it.
    expect(reveal(up.find("k3s-worker-01-k3s").inputs["stdin"])).not.toMatch(/::server:(?!%s)/);
    expect(reveal(up.find("k3s-worker-01-k3s").inputs["stdin"])).not.toContain('secret.AGENT_TOKEN" <<');
  });

  it("does not repeat its preview's warning about what privileged containers mean for the host", () => {
    expect(up.logs.filter(({ message }) => message.includes("root on the Proxmox node"))).toEqual([]);
  });
});

const initialization = (hostname: string, last: number) => ({
  hostname,
  dns: { servers: ["192.168.2.1"] },
  ipConfigs: [{ ipv4: { address: `192.168.2.${last}/24`, gateway: "192.168.2.1" } }],
});

const nic = [{ name: "eth0", bridge: "vmbr0" }];
