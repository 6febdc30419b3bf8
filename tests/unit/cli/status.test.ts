import { compare } from "../../../cli/status/compare";
import type { Sight } from "../../../cli/status/sight";
import type { ClusterSight } from "../../../plan/clusterSight";
import { loadPlan } from "../../../plan/load";
import type { ClusterPlan } from "../../../plan/model";
import { clusterRecordOf } from "../../../plan/record";
import { goodSight, inDays, seen, withCluster, withNode } from "../../support/statusSight";
import { changed, homelabConfig } from "../config/support";

/* The plan compared with what was found: a cluster that matches the plan has no difference, and each difference has one line. */

const planOf = (change: unknown = {}): ClusterPlan => loadPlan(changed(homelabConfig(), change));
const ONE = planOf({ pools: { worker: { labels: { tier: "web" }, taints: ["only=web:NoSchedule"] } } });
const THREE = planOf({
  k3s: { datastore: "etcd" },
  pools: { master: { count: 3, hostname: "k3s-{0}", vmIds: { from: 200 }, addresses: { from: "192.168.2.100" } } },
});

/** Level, check and text of each difference, with its command. */
const differences = (sight: Sight, plan = ONE): string[] =>
  compare(plan, sight)
    .findings.filter(({ level }) => level !== "ok")
    .map(({ level, check, seen: words, remedy = "" }) => `${level} ${check}: ${words} → ${remedy}`);
const without = <T extends { name: string }>(list: readonly T[], name: string): T[] =>
  list.filter((each) => each.name !== name);

test.each([
  ["one server", ONE],
  ["three servers", THREE],
])("a cluster that matches the plan has no difference: %s", (_, plan) => {
  const status = compare(plan, goodSight(plan));
  expect(status.findings.map(({ level }) => level)).toEqual(status.findings.map(() => "ok"));
  expect(status.verdict).toBe("as planned");
  expect(status.nodes.map(({ guest, kubernetes, level }) => [guest, kubernetes, level])).toEqual(
    plan.nodes.map(() => ["running", "Ready", "ok"]),
  );
});

const W1 = "k3s-worker-01";

test("a node that runs without the latest rules of its firewall has a line, if the nodes have a firewall", () => {
  const plan = planOf({ firewall: { enabled: true, adminNetworks: ["192.168.2.0/24"] } });
  const old = (of: ClusterPlan): Sight => withCluster(of, () => ({ oldFirewall: [W1] }));
  const line = "fail firewall: k3s-worker-01 runs without the latest rules of its firewall → pulumi up";
  expect([differences(old(plan), plan), differences(goodSight(plan), plan), differences(old(ONE))]).toEqual([
    [line],
    [],
    [],
  ]);
});

describe("each difference is a line with its command", () => {
  const good = goodSight(ONE);
  const listed = seen(good.listed);
  const marked = seen(good.marked);

  test.each<[string, Sight, string]>([
    [
      "a guest that is stopped",
      { ...good, listed: { seen: listed.map((each) => ({ ...each, isRunning: each.name !== W1 })) } },
      "fail guests: k3s-worker-01 does not run: guest 102 is stopped → pct start 102 on pve",
    ],
    [
      "a guest that is missing",
      { ...good, listed: { seen: without(listed, W1) }, marked: { seen: without(marked, W1) } },
      "fail guests: k3s-worker-01 has no guest 102 any more → pulumi up --refresh, which creates it again",
    ],
    [
      "a guest on another Proxmox VE node",
      { ...good, marked: { seen: marked.map((each) => (each.name === W1 ? { ...each, pveNode: "pve2" } : each)) } },
      "fail guests: k3s-worker-01 is on the Proxmox VE node pve2, not on pve → pct migrate 102 pve --restart on pve2",
    ],
    [
      "a foreign guest on a node's VMID",
      {
        ...good,
        marked: { seen: without(marked, W1) },
        listed: { seen: [...without(listed, W1), { vmId: 102, name: "nas", isRunning: true }] },
      },
      'fail guests: k3s-worker-01 lost its VMID 102 to the guest "nas", which is not ours → give k3s-worker-01 another VMID (vmIds of its pool), then pulumi up',
    ],
    [
      "a Node that somebody deleted",
      withCluster(ONE, ({ nodes }) => ({ nodes: without(nodes!, W1) })),
      "fail nodes: k3s-worker-01 is not in Kubernetes, though guest 102 runs → pulumi up, which restarts its K3s, and that registers it again",
    ],
    [
      "a Node that is not Ready",
      withNode(ONE, W1, { isReady: false }),
      "fail nodes: k3s-worker-01 is NotReady → pct exec 102 -- systemctl restart k3s-agent on pve; pct exec 102 -- journalctl -u k3s-agent on pve says why",
    ],
    [
      "a Node at another address",
      withNode(ONE, W1, { addresses: ["192.168.2.99"] }),
      "fail nodes: k3s-worker-01 has the address 192.168.2.99, not 192.168.2.21 → pct exec 102 -- systemctl restart k3s-agent on pve",
    ],
    [
      "a cordon by somebody",
      withNode(ONE, W1, { isCordoned: true }),
      "warn nodes: k3s-worker-01 is cordoned by somebody: it takes no new pods → kubectl uncordon k3s-worker-01",
    ],
    [
      "a cordon by this program",
      withCluster(ONE, ({ nodes }) => ({
        nodes: nodes!.map((each) => ({ ...each, isCordoned: each.name === W1 })),
        leaving: [W1],
      })),
      "warn nodes: k3s-worker-01 is cordoned by a removal of this program that did not end → pulumi up, which undoes that",
    ],
    [
      "a foreign Node",
      withCluster(ONE, ({ nodes }) => ({ nodes: [...nodes!, { ...nodes![1]!, name: "laptop" }] })),
      "fail nodes: laptop is a Node that is not in the plan → kubectl delete node laptop, if nobody wants it; a machine that still runs its K3s registers it again",
    ],
    [
      "a version that somebody installed",
      withNode(ONE, W1, { version: "v1.36.1+k3s1" }),
      `fail versions: k3s-worker-01 runs v1.36.1+k3s1, not ${ONE.version} → pct exec 102 -- systemctl restart k3s-agent on pve; if that does not help, somebody installed another K3s there`,
    ],
    [
      "a version of an unknown form",
      withNode(ONE, W1, { version: undefined }),
      expect.stringContaining("fail versions: k3s-worker-01 runs an unknown version, not") as string,
    ],
    [
      "a label that is lost",
      withNode(ONE, W1, { labels: {} }),
      "fail labels: k3s-worker-01 lacks the label tier=web → kubectl label node k3s-worker-01 --overwrite tier=web",
    ],
    [
      "a label with another value",
      withNode(ONE, W1, { labels: { tier: "db", "somebody/else": "x" } }),
      "fail labels: k3s-worker-01 lacks the label tier=web → kubectl label node k3s-worker-01 --overwrite tier=web",
    ],
    [
      "a taint that is lost",
      withNode(ONE, W1, { taints: ["only=web:NoExecute"] }),
      "fail labels: k3s-worker-01 lacks the taint only=web:NoSchedule → kubectl taint node k3s-worker-01 --overwrite only=web:NoSchedule",
    ],
    [
      "a certificate near its end",
      withCluster(ONE, ({ certificates }) => ({
        certificates: [{ ...certificates[0]!, ends: inDays(29) }, certificates[1]!],
      })),
      "warn certificates: k3s-master has a certificate for the cluster's admin that ends on 2026-12-27 → pulumi up, which restarts K3s there, and that makes a new one",
    ],
    [
      "a certificate past its end",
      withCluster(ONE, ({ certificates }) => ({
        certificates: [certificates[0]!, { ...certificates[1]!, ends: inDays(-2) }],
      })),
      "fail certificates: k3s-master has a certificate for the API that ended on 2026-11-26 → pulumi up, which restarts K3s there, and that makes a new one",
    ],
    [
      "a kubeconfig near its end",
      { ...good, kubeconfig: { seen: { ends: inDays(3) } } },
      "fail kubeconfig: the stack's ends on 2026-12-01 → pulumi up, which reads it again; npx proxmox-k3s kubeconfig prints a fresh one",
    ],
    [
      "a storage with little space",
      { ...good, storages: { seen: [{ name: "local-lvm", isActive: true, totalBytes: 1e12, freeBytes: 5e10 }] } },
      "warn storages: local-lvm has 46 of 931 GiB free → free some space on local-lvm: a guest whose storage is full stops writing",
    ],
    [
      "a storage that is full",
      { ...good, storages: { seen: [{ name: "local-lvm", isActive: true, totalBytes: 1e12, freeBytes: 0 }] } },
      "fail storages: local-lvm has 0 of 931 GiB free → free some space on local-lvm: a guest whose storage is full stops writing",
    ],
    [
      "a storage that is not active",
      { ...good, storages: { seen: [{ name: "local-lvm", isActive: false, totalBytes: 0, freeBytes: 0 }] } },
      "fail storages: local-lvm is not active → pvesm status on the Proxmox host says why",
    ],
    [
      "operations of an interrupted run",
      { ...good, state: { ...good.state, open: [{ urn: "urn::x", type: "creating" }] } },
      "fail state: an interrupted run left unfinished operations: 1 → npx proxmox-k3s recover",
    ],
    [
      "a guest with the mark that no state has",
      { ...good, marked: { seen: [...marked, { ...marked[0]!, vmId: 555, name: "copy" }] } },
      "fail state: guest 555 (copy) has the cluster's mark, but is not in the state → npx proxmox-k3s recover",
    ],
    [
      "a guest that another state has",
      { ...good, ofAnotherState: [{ ...marked[0]!, vmId: 555, name: "old" }] },
      "warn state: guest 555 (old) is a node of this cluster in another Pulumi state → use the state that has it, if that is the right one (docs/second-machine.md); this one never changes it",
    ],
  ])("%s", (_, sight, line) => {
    expect(differences(sight)).toEqual([line]);
    expect(compare(ONE, sight).verdict).toBe("differs");
  });
});

describe("an up that is due", () => {
  const shown = (from: ClusterPlan, to: ClusterPlan): string[] =>
    differences({ ...goodSight(to), ...goodSight(from), record: clusterRecordOf(from) }, to);

  test("is named by what it would change", () => {
    const memory = planOf({ pools: { worker: { memory: "9GB" } } });
    expect(shown(planOf(), memory)).toEqual([
      "fail state: k3s-worker-01 differs from the plan in memory → pulumi up",
      "fail state: k3s-worker-02 differs from the plan in memory → pulumi up",
    ]);
  });

  test("a node that does not exist yet is not searched for", () => {
    const more = planOf({ pools: { worker: { count: 3 } } });
    expect(shown(planOf(), more)).toEqual([
      "fail state: k3s-worker-03 is in the plan, but does not exist yet → pulumi up",
    ]);
    const status = compare(more, goodSight(planOf()));
    expect(status.nodes.find(({ name }) => name === "k3s-worker-03")).toMatchObject({
      guest: "not made",
      level: "fail",
    });
  });

  test("a node that has not left yet is no foreign one", () => {
    const fewer = planOf({ pools: { worker: { count: 1 } } });
    expect(shown(planOf(), fewer)).toEqual([
      "fail state: k3s-worker-02 is no longer in the plan, but still exists → pulumi up",
    ]);
    expect(compare(fewer, goodSight(planOf())).nodes.at(-1)).toMatchObject({ name: "k3s-worker-02", role: "leaving" });
  });

  test("if its removal was interrupted, it continues", () => {
    const fewer = planOf({ pools: { worker: { count: 1 } } });
    const good = withCluster(planOf(), ({ nodes }) => ({
      nodes: nodes!.map((each) => ({ ...each, isCordoned: each.name === "k3s-worker-02" })),
      leaving: ["k3s-worker-02"],
    }));
    expect(differences(good, fewer)).toContain(
      "warn nodes: k3s-worker-02 is cordoned by a removal of this program that did not end → pulumi up, which goes on with the removal",
    );
  });

  test("that would be refused has a line that says so", () => {
    expect(shown(planOf(), planOf({ network: { podCidr: "10.99.0.0/16" } }))).toContain(
      "fail state: cluster.network.podCidr: cannot become 10.99.0.0/16: K3s cannot change the pods' network of an existing cluster → set it back to 10.42.0.0/16; another value needs a new cluster",
    );
  });

  test("another version has one line for the state and one for the Node", () => {
    const newer = planOf({ version: "v1.36.4+k3s1" });
    expect(shown(planOf(), newer).filter((line) => line.includes(W1))).toEqual([
      "fail state: k3s-worker-01 differs from the plan in version → pulumi up",
      "fail versions: k3s-worker-01 runs v1.36.3+k3s1, not v1.36.4+k3s1 → pulumi up",
    ]);
  });
});

describe("several servers", () => {
  const silent = (name: string) =>
    withCluster(THREE, ({ servers }) => ({
      servers: servers.map((each) => ({ ...each, answers: each.name !== name })),
    }));

  test("a server that does not answer is named", () => {
    expect(differences(silent("k3s-2"), THREE)).toEqual([
      "fail servers: k3s-2 does not answer: its K3s API is down → pct exec 201 -- systemctl restart k3s on pve; pct exec 201 -- journalctl -u k3s on pve says why",
    ]);
  });

  test("an up starts a server whose K3s is stopped; one whose Node is gone needs a rebuild", () => {
    const dead = (good: ClusterSight): Partial<ClusterSight> => ({
      servers: good.servers.map((each) => ({ ...each, answers: each.name !== "k3s-2" })),
      k3s: good.k3s.map(({ node, runs }) => ({ node, runs: runs && node !== "k3s-2" })),
    });
    expect(differences(withCluster(THREE, dead), THREE)).toEqual([
      "fail servers: k3s-2 does not answer: its K3s API is down → pulumi up, which starts it",
      "fail nodes: k3s-2 has a K3s that does not run → pulumi up, which starts it",
    ]);
    const gone = withCluster(THREE, ({ nodes }) => ({ nodes: without(nodes!, "k3s-2") }));
    expect(differences(gone, THREE)).toContain(
      "fail nodes: k3s-2 is not in Kubernetes, though guest 201 runs → pulumi up --replace '**::k3s-2', if it does not come back by itself",
    );
  });

  test("a server whose guest is stopped has only that line", () => {
    const sight = silent("k3s-2");
    const listed = seen(sight.listed).map((each) => ({ ...each, isRunning: each.name !== "k3s-2" }));
    const notReady = withNode(THREE, "k3s-2", { isReady: false }).cluster as { seen: ClusterSight };
    const servers = seen(sight.cluster).servers;
    expect(
      differences({ ...sight, listed: { seen: listed }, cluster: { seen: { ...notReady.seen, servers } } }, THREE),
    ).toEqual(["fail guests: k3s-2 does not run: guest 201 is stopped → pct start 201 on pve"]);
  });

  test("a server that is no member of etcd, and one whose Node does not name its member", () => {
    const lines = (withEtcd: string[]) =>
      differences(
        withCluster(THREE, ({ nodes }) => ({
          withEtcd,
          nodes: nodes!.map((each) => (each.name === "k3s-3" ? { ...each, isMember: false } : each)),
        })),
        THREE,
      );
    const remedy = "pct exec 202 -- systemctl restart k3s on pve; pct exec 202 -- journalctl -u k3s on pve says why";
    expect(lines(["k3s-1", "k3s-2"])).toEqual([`fail etcd: k3s-3 is not a member of etcd → ${remedy}`]);
    expect(lines(["k3s-1", "k3s-2", "k3s-3"])).toEqual([
      `fail etcd: k3s-3 has a member of etcd that its Node does not name: it cannot leave → ${remedy}`,
    ]);
  });

  test("if no server answers, that is a difference, and the rest is not guessed", () => {
    const sight = withCluster(THREE, ({ servers }) => ({
      nodes: undefined,
      servers: servers.map((each) => ({ ...each, answers: false })),
    }));
    expect(differences(sight, THREE)).toEqual([
      ...["k3s-master", "k3s-2", "k3s-3"].map(
        (name) => expect.stringContaining(`fail servers: ${name} does not answer`) as string,
      ),
      ...["nodes", "versions", "labels", "etcd"].map((check) => `skip ${check}: not checked: no server answers → `),
    ]);
  });
});
