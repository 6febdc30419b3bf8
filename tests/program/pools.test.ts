import { cluster, COMMAND, CONTAINER, NODES, secrets } from "../support/homelabProgram";
import { recordProgram, type Recording, stateOf } from "../support/program";

/* What a pool may have in addition to its machines, and several servers. */

describe("nodes that show their progress", () => {
  it("do it before their K3s, each at its own address; without the option there is no such step", async () => {
    const up = await recordProgram({ cluster: { ...cluster, onboarding: { http: true } }, secrets });
    for (const [at, name] of NODES.entries()) {
      const { urn, inputs } = up.find(`${name}-page`, COMMAND);
      expect(inputs["create"]).toContain(`export ADDRESS='192.168.2.2${at}'\n`);
      expect(up.find(`${name}-k3s`, COMMAND).options.dependencies).toContain(urn);
      // Without the option the page is closed. A machine that is removed takes its page with it. The host runs the step: a node may be down.
      expect(inputs["delete"]).toContain("export ACTION='delete'\n");
      expect(inputs["connection"]).toEqual(up.find(`${name}-leave`, COMMAND).inputs["connection"]);
    }
  });
});

describe("a pool with packages", () => {
  it("installs them before its K3s, and no other node has such a step", async () => {
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
  it("has it mounted before its K3s, and the step that waits for the node to be Ready gives it to Longhorn", async () => {
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
  let up: Recording, created: Recording;
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
    const three = { ...cluster, pools: { ...pools, master } };
    up = await recordProgram({ cluster: three, secrets, state: stateOf("homelab") });
    created = await recordProgram({ cluster: three, secrets });
  });
  const dependsOn = (name: string, type = COMMAND) => up.find(name, type).options.dependencies;

  it("are created one by one: machine, leave and K3s wait until all earlier ones are Ready", () => {
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

  it("must all have their leave before an agent's K3s starts, so that agents leave first, even in a new cluster", () => {
    const leaves = SERVERS.map((name) => created.find(`${name}-leave`, COMMAND).urn);
    expect(created.find("k3s-worker-01-leave").options.dependencies).toEqual(expect.arrayContaining(leaves));
    expect(created.find("k3s-worker-01-k3s").options.dependencies).toContain(created.find("k3s-worker-01-leave").urn);
    const joins = SERVERS.map((name) => created.find(`${name}-k3s`).options.hooks.beforeCreate);
    expect(joins).toEqual([["homelab-first-ca-hash"], ["homelab-master-2-join"], ["homelab-master-3-join"]]);
  });

  it("must all run before an agent's K3s starts, unless the cluster is new", () => {
    const k3s = SERVERS.map((name) => up.find(`${name}-k3s`, COMMAND).urn);
    expect(dependsOn("k3s-worker-01-leave")).toEqual(expect.arrayContaining(k3s));
    expect(up.find("k3s-worker-01-ready", COMMAND).inputs["create"]).toContain("ETCD='no'");
  });
});
