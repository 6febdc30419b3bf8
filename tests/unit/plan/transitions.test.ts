import { announcements } from "../../../plan/announce";
import { formatProblem } from "../../../config/problems";
import { loadPlan } from "../../../plan/load";
import type { ClusterPlan } from "../../../plan/model";
import { type ClusterRecord, clusterRecordOf } from "../../../plan/record";
import { transitions } from "../../../plan/transitions";
import { changed, homelabConfig } from "../config/support";

/** The homelab: one server and two workers, on SQLite. */
const homelab = (change: unknown = {}): ClusterPlan => loadPlan(changed(homelabConfig(), change));

/** The same cluster with several servers, on etcd. */
const servers = (count: number, change: unknown = {}): ClusterPlan =>
  homelab(
    changed(
      {
        k3s: { datastore: "etcd" },
        pools: {
          master: { count, hostname: "k3s-master-{0}", vmIds: { from: 200 }, addresses: { from: "192.168.2.100" } },
        },
      },
      change,
    ),
  );

/** The effect on each node of an `up` from one plan to another. */
const effects = (from: ClusterPlan, to: ClusterPlan): Record<string, string> =>
  Object.fromEntries(
    transitions(clusterRecordOf(from), to).changes.map(({ node, effect, reasons }) => [
      node,
      [effect, ...reasons].join(", "),
    ]),
  );
const refused = (from: ClusterPlan | ClusterRecord, to: ClusterPlan): string[] =>
  transitions("clusters" in from ? from : clusterRecordOf(from), to).refusals.map(formatProblem);
const KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIILx9UeKnbcoEos4i2KFOzoAXSqN+WbsURRyqAG+LHud x";
const worker = (change: unknown) => ({ pools: { worker: change } });
const master = (change: unknown) => ({ pools: { master: change } });
const workers = (effect: string) => ({ "k3s-worker-01": effect, "k3s-worker-02": effect });
const all = (effect: string) => ({ "k3s-master": effect, ...workers(effect) });

describe("what a change means for each node", () => {
  test("nothing if nothing changes", () => {
    expect(transitions(clusterRecordOf(homelab()), homelab())).toEqual({ changes: [], refusals: [] });
  });

  test("the same, in the same words, for any order of the nodes in the state", () => {
    const former = clusterRecordOf(homelab());
    const to = homelab(changed(worker({ disk: "20GB", count: 1 }), { name: "lab2", version: "v1.38.0+k3s1" }));
    const turned = { ...former, nodes: [...former.nodes].reverse() };
    expect(transitions(former, to).refusals).not.toEqual([]);
    expect(transitions(turned, to)).toEqual(transitions(former, to));
  });

  test("a first up: every node joins, and nothing is refused", () => {
    const none = { clusters: [], nodes: [] };
    expect(effects({ ...homelab(), nodes: [], servers: [], agents: [] }, homelab())).toEqual(all("join"));
    expect(transitions(none, homelab()).refusals).toEqual([]);
  });

  test.each([
    ["more workers", worker({ count: 3 }), { "k3s-worker-03": "join" }],
    ["fewer workers", worker({ count: 1 }), { "k3s-worker-02": "leave" }],
    ["one retired", worker({ retired: [1] }), { "k3s-worker-03": "join", "k3s-worker-01": "leave" }],
    ["cores", worker({ cores: 6 }), workers("live, cores")],
    ["a larger disk", worker({ disk: "60GB" }), workers("live, disk")],
    ["the start order", worker({ startup: { order: 3 } }), workers("live, start with the host")],
    ["memory", worker({ memory: "9GB" }), workers("reboot, memory")],
    ["memory and cores", worker({ memory: "9GB", cores: 6 }), workers("reboot, memory")],
    ["swap", worker({ swap: "1GB" }), workers("reboot, memory")],
    ["a VLAN", { network: { vlan: 20 } }, all("reboot, network interface")],
    ["DNS servers", { network: { nameservers: ["192.168.2.2"] } }, all("reboot, gateway or DNS")],
    [
      "a MAC address in the config",
      worker({ nodes: { 1: { mac: "BC:24:11:00:00:01" } } }),
      { "k3s-worker-01": "reboot, MAC address" },
    ],
    ["an agent's address", worker({ addresses: { from: "192.168.2.50" } }), workers("reboot, address")],
    ["a release", { version: "v1.36.4+k3s1" }, all("k3sRestart, version")],
    [
      "an option",
      { k3s: { agentConfig: { "kubelet-arg": ["max-pods=60"] } } },
      workers("k3sRestart, options, labels or taints"),
    ],
    ["a label", worker({ labels: { tier: "1" } }), workers("k3sRestart, options, labels or taints")],
    [
      "a mirror of images",
      { k3s: { registries: { mirrors: { "docker.io": { endpoints: ["https://registry.lan:5000"] } } } } },
      all("k3sRestart, registries"),
    ],
    ["registries without an entry", { k3s: { registries: { mirrors: {}, configs: {} } } }, {}],
    ["VMIDs", worker({ vmIds: { from: 202 } }), workers("rebuild, VMID")],
    // What counts only at the creation: cases C1 to C3.
    ["another storage", { proxmox: { storage: "local-lmv" } }, {}],
    [
      "another distribution's template",
      { proxmox: { template: "local:vztmpl/debian-12-standard_12.7-1_amd64.tar.zst" } },
      {},
    ],
    ["how long a drain may take", { removal: { drainTimeout: "20m" } }, {}],
  ])("%s", (_, change, expected) => {
    expect(effects(homelab(), homelab(change))).toEqual(expected);
    expect(refused(homelab(), homelab(change))).toEqual([]);
  });

  test("a server with etcd is rebuilt for another address, because etcd identifies its members by it", () => {
    const moved = { pools: { master: { addresses: { from: "192.168.2.150" } } } };
    expect(effects(servers(3), servers(3, moved))).toMatchObject({
      "k3s-master": "rebuild, address",
      "k3s-master-2": "rebuild, address",
    });
    expect(effects(homelab(), homelab({ pools: { master: { addresses: { from: "192.168.2.150" } } } }))).toMatchObject({
      "k3s-master": "reboot, address",
    });
  });

  const vms = (change: object = {}) => ({
    pools: {
      vms: {
        ...{ kind: "vm", role: "agent", count: 1, template: 9000, cores: 2, memory: "4GB", disk: "20GB" },
        ...{ os: "nixos", hostname: "vm-{0}", vmIds: { from: 120 }, addresses: { from: "192.168.2.40" }, ...change },
      },
    },
  });

  test.each([
    ["a key for SSH", { ssh: { authorizedKeys: [KEY] } }, { "vm-1": "systemTrial, SSH keys, DNS or firewall" }],
    [
      "a firewall",
      { firewall: { enabled: true, adminNetworks: ["192.168.2.0/24"] } },
      { "vm-1": "systemTrial, SSH keys, DNS or firewall" },
    ],
    ["a label", vms({ labels: { tier: "1" } }), { "vm-1": "k3sRestart, options, labels or taints" }],
    ["cores", vms({ cores: 3 }), { "vm-1": "reboot, cores" }],
    ["one more node", vms({ count: 2 }), { "vm-2": "join" }],
  ])("with NixOS, %s: its machine tries another system if its module changes", (_, change, expected) => {
    const [from, to] = [homelab(vms()), homelab(changed(vms(), change))];
    expect(effects(from, to)).toEqual(expected);
    expect(announcements(transitions(clusterRecordOf(from), to), to)).toEqual(
      Object.values(expected)[0]?.startsWith("systemTrial")
        ? ["vm-1: trial of a new NixOS system while K3s runs, for its SSH keys, DNS or firewall; one node at a time"]
        : expect.not.arrayContaining([expect.stringContaining("trial")]),
    );
  });

  test("a machine with NixOS boots with the address in its module, so it is rebuilt for another one", () => {
    const moved = vms({ addresses: { from: "192.168.2.50" } });
    expect(effects(homelab(vms()), homelab(moved))).toEqual({ "vm-1": "rebuild, address" });
    expect(refused(homelab(vms()), homelab(vms({ os: null })))).toEqual([
      "cluster.pools.vms.os: cannot take NixOS off vm-1: its machine exists with another system (set it back to nixos; for another system, retire the node and add one with a new name and VMID)",
    ]);
    expect(refused(homelab(vms({ os: null })), homelab(vms()))).toEqual([
      "cluster.pools.vms.os: cannot put NixOS on vm-1: its machine exists with another system (remove it; for another system, retire the node and add one with a new name and VMID)",
    ]);
  });

  test.each([
    ["gets another address", homelab(), master({ addresses: { from: "192.168.2.150" } }), "reboot, address"],
    ["is rebuilt, and a new cluster begins", homelab(), master({ vmIds: { from: 300 } }), "rebuild, VMID"],
  ])("agents get the new address by a restart of K3s if their only server %s", (_, from, change, server) => {
    const to = homelab(changed(change, { removal: { allowControlPlaneLoss: true } }));
    expect(effects(from, to)).toEqual({ "k3s-master": server, ...workers("k3sRestart, server") });
  });

  test("an agent keeps the server in its config: another first server restarts no agent", () => {
    expect(effects(servers(3), servers(3, master({ retired: [1] })))).toEqual({
      "k3s-master-4": "join",
      "k3s-master": "leave",
    });
  });

  test("the MAC address that Proxmox VE assigned is no change", () => {
    const record = clusterRecordOf(homelab());
    const nodes = record.nodes.map((node) => ({ ...node, mac: "BC:24:11:12:34:56" }));
    expect(transitions({ ...record, nodes }, homelab()).changes).toEqual([]);
  });

  test("a start order that the config does not have was set by hand, and is no change", () => {
    const record = clusterRecordOf(homelab());
    const nodes = record.nodes.map((node) => ({ ...node, startup: { order: 3, upDelaySeconds: 20 } }));
    expect(transitions({ ...record, nodes }, homelab()).changes).toEqual([]);
  });
});

describe("what cannot be done, with a solution", () => {
  test.each([
    [
      "another name (C7)",
      { name: "lab2" },
      [
        "cluster.name: cannot become lab2: the cluster homelab exists with k3s-master, k3s-worker-01, k3s-worker-02, and a new name means a new cluster (set it back to homelab; for a second cluster, create another stack with pulumi stack init)",
      ],
    ],
    [
      "other networks of pods and services (C6)",
      { network: { podCidr: "10.99.0.0/16", serviceCidr: "10.98.0.0/16" } },
      [
        "cluster.network.podCidr: cannot become 10.99.0.0/16: K3s cannot change the pods' network of an existing cluster (set it back to 10.42.0.0/16; another value needs a new cluster)",
        "cluster.network.serviceCidr: cannot become 10.98.0.0/16: K3s cannot change the services' network of an existing cluster (set it back to 10.43.0.0/16; another value needs a new cluster)",
      ],
    ],
    [
      "another address of cluster DNS",
      { k3s: { serverConfig: { "cluster-dns": "10.43.0.11" } } },
      [
        "cluster.k3s.serverConfig.cluster-dns: cannot become 10.43.0.11: K3s cannot change the address of cluster DNS of an existing cluster (remove it; another value needs a new cluster)",
      ],
    ],
    [
      "a smaller disk (C4)",
      worker({ disk: "20GB" }),
      ["k3s-worker-01", "k3s-worker-02"].map(
        (name) =>
          `cluster.pools.worker.disk: cannot shrink the disk of ${name} from 50GB to 20GB (set 50GB; for a smaller disk, retire the node and add another)`,
      ),
    ],
    [
      "a lower minor release (C9)",
      { version: "v1.35.3+k3s1" },
      [
        "cluster.version: cannot go down to v1.35.3+k3s1: a server has run v1.36.3+k3s1, and Kubernetes cannot go back to an older minor release (set it to v1.36.3+k3s1 or a later release of the same minor)",
      ],
    ],
    [
      "a skipped minor release (C9)",
      { version: "v1.38.1+k3s1" },
      [
        "cluster.version: cannot become v1.38.1+k3s1: the servers run v1.36.3+k3s1, and Kubernetes upgrades one minor release at a time (upgrade to a release of 1.37 first)",
      ],
    ],
    [
      "another host name on VMIDs in use (C5)",
      worker({ hostname: "w-{0}" }),
      [1, 2].flatMap((index) => [
        `cluster.pools.worker.vmIds: gives VMID ${101 + index} to w-${index}, but k3s-worker-0${index} leaves later in the same up, after w-${index} is created (set a free VMID; a renamed node is a new node, so it needs its own VMID and address)`,
        `cluster.pools.worker.addresses: gives 192.168.2.${20 + index} to w-${index}, but k3s-worker-0${index} leaves later in the same up, after w-${index} is created (set a free address; or first remove the other node with pulumi up, then add this one)`,
      ]),
    ],
    [
      "two nodes that exchange their VMIDs",
      worker({ vmIds: [103, 102] }),
      [
        "cluster.pools.worker.vmIds: gives VMID 103 to k3s-worker-01, but k3s-worker-02 has it until this up ends (set a free VMID; a renamed node is a new node, so it needs its own VMID and address)",
        "cluster.pools.worker.vmIds: gives VMID 102 to k3s-worker-02, but k3s-worker-01 has it until this up ends (set a free VMID; a renamed node is a new node, so it needs its own VMID and address)",
      ],
    ],
    [
      "another Proxmox VE node (C2)",
      { proxmox: { node: "pve2" } },
      [
        "cluster.proxmox.node: cannot move k3s-master, k3s-worker-01, k3s-worker-02, which run on the Proxmox VE node pve (set it back to pve; or remove these nodes and add new ones elsewhere)",
      ],
    ],
    [
      "the only server rebuilt",
      master({ vmIds: { from: 300 } }),
      [
        "cluster.pools.master: cannot be changed like this: the only server k3s-master is rebuilt, and all objects of the cluster are lost with it (take the change back; or set cluster.k3s.datastore: etcd and add servers first; or set cluster.removal.allowControlPlaneLoss: true)",
      ],
    ],
    [
      "another server instead of the only one",
      master({ retired: [1], nodes: { 2: { vmId: 110, address: "192.168.2.60" } } }),
      [
        "cluster.pools.master: cannot be changed like this: the only server k3s-master leaves, and all objects of the cluster are lost with it (take the change back; or set cluster.k3s.datastore: etcd and add servers first; or set cluster.removal.allowControlPlaneLoss: true)",
      ],
    ],
  ])("%s", (_, change, problems) => {
    expect(refused(homelab(), homelab(change))).toEqual(problems);
  });

  test("another role of nodes that keep their VMIDs (C8)", () => {
    const plan = homelab({
      k3s: { datastore: "etcd" },
      pools: { master: { count: 1 }, worker: { role: "server" } },
    });
    expect(refused(homelab(), plan)).toEqual(
      [1, 2].map(
        (index) =>
          `cluster.pools.worker.role: cannot make k3s-worker-0${index} a K3s server: it is a K3s agent on VMID ${101 + index} (set it back to agent; for another role, retire the node and add one with a new name and VMID)`,
      ),
    );
  });

  test("etcd back to SQLite, also if the config does not set it", () => {
    const hint = "set cluster.k3s.datastore: etcd; one server works with it too";
    const line = `cluster.k3s.datastore: cannot go back to sqlite: k3s-master keeps the cluster's objects in etcd (${hint})`;
    expect(refused(servers(3), servers(1, { k3s: null }))).toEqual([line]);
    expect(refused(servers(3), servers(1))).toEqual([]);
  });

  test("several at once are all named", () => {
    const change = {
      name: "lab2",
      version: "v1.35.3+k3s1",
      network: { podCidr: "10.99.0.0/16" },
      ...worker({ disk: "20GB" }),
    };
    expect(refused(homelab(), homelab(change)).map((line) => line.split(":")[0])).toEqual([
      "cluster.name",
      "cluster.network.podCidr",
      "cluster.version",
      "cluster.pools.worker.disk",
      "cluster.pools.worker.disk",
    ]);
  });
});

describe("what may be done", () => {
  test("anything while no guest exists: the config may change freely after a first up that failed early", () => {
    const before = { clusters: ["homelab"], nodes: [] };
    expect(refused(before, homelab({ name: "lab2", network: { podCidr: "10.99.0.0/16" } }))).toEqual([]);
  });

  test("other networks while K3s is not installed on any server", () => {
    const record = clusterRecordOf(homelab());
    const bare = { ...record, nodes: record.nodes.map((node) => ({ ...node, k3s: undefined })) };
    expect(refused(bare, homelab({ network: { podCidr: "10.99.0.0/16" }, version: "v1.35.3+k3s1" }))).toEqual([]);
  });

  test("an older patch release of the same minor, and the next minor", () => {
    expect(refused(homelab({ version: "v1.36.4+k3s1" }), homelab())).toEqual([]);
    expect(refused(homelab({ version: "v1.35.3+k3s1" }), homelab())).toEqual([]);
  });

  test("the loss of the only server, if the config allows it", () => {
    const allowed = { removal: { allowControlPlaneLoss: true }, ...master({ vmIds: { from: 300 } }) };
    expect(refused(homelab(), homelab(allowed))).toEqual([]);
  });

  test("all servers of etcd rebuilt, and the only one of etcd replaced by another", () => {
    expect(refused(servers(3), servers(3, master({ vmIds: { from: 300 } })))).toEqual([]);
    expect(refused(servers(1), servers(1, master({ retired: [1] })))).toEqual([]);
  });

  test("but not the only one of etcd rebuilt: it would have no other to join", () => {
    expect(refused(servers(1), servers(1, master({ vmIds: { from: 300 } })))).toEqual([
      "cluster.pools.master: cannot be changed like this: the only server k3s-master is rebuilt, and all objects of the cluster are lost with it (take the change back; or add a server first; or set cluster.removal.allowControlPlaneLoss: true)",
    ]);
  });
});

describe("what the preview says about it", () => {
  const lines = (from: ClusterPlan, to: ClusterPlan): string[] =>
    announcements(transitions(clusterRecordOf(from), to), to);

  test("one line for each node that restarts or leaves, none for one that joins or changes live", () => {
    const to = homelab(
      changed(worker({ count: 3, retired: [2], nodes: { 1: { memory: "9GB" } } }), { rollout: { concurrency: 2 } }),
    );
    expect(lines(homelab(), to)).toEqual([
      "k3s-worker-01: reboot, for its memory; 2 nodes at a time",
      "k3s-worker-02: drain and removal; its guest is destroyed with its disk",
    ]);
    expect(lines(homelab(), homelab(worker({ cores: 6 })))).toEqual([]);
  });

  test("all reasons of the strongest effect", () => {
    const to = homelab(worker({ memory: "9GB", addresses: { from: "192.168.2.50" }, cores: 6 }));
    expect(lines(homelab(), to)[0]).toBe("k3s-worker-01: reboot, for its address and memory; one node at a time");
    expect(lines(homelab(), homelab({ version: "v1.36.4+k3s1" }))[0]).toBe(
      "k3s-master: K3s restart, for its version; one node at a time",
    );
  });
});
