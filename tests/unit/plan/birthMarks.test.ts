import { loadPlan } from "../../../plan/load";
import type { ClusterPlan } from "../../../plan/model";
import { type ClusterRecord, clusterRecordOf, type NodeRecord, recordOf } from "../../../plan/record";
import { transitions } from "../../../plan/transitions";
import { changed, homelabConfig } from "../config/support";

/** A server, two workers in containers, and one in a virtual machine. */
const mixed = (change: unknown = {}): ClusterPlan =>
  loadPlan(
    changed(
      changed(homelabConfig(), {
        pools: {
          vms: {
            ...{ kind: "vm", role: "agent", count: 1, template: 9000, cores: 2, memory: "4GB", disk: "20GB" },
            ...{ hostname: "k3s-vm-{0}", vmIds: { from: 120 }, addresses: { from: "192.168.2.40" } },
          },
        },
      }),
      change,
    ),
  );
const REGION = { proxmox: { region: "lab" } };
const worker = (change: unknown) => ({ pools: { worker: change } });

/** The node's place in K3s' arguments, if the state records this of the cluster. */
function marks(name: string, plan: ClusterPlan, former?: ClusterRecord): unknown[] {
  const node = plan.nodes.find((each) => each.name === name)!;
  const was = former?.nodes.find((each) => each.name === name);
  const { options = {} } = recordOf(node, plan, was).k3s ?? {};
  return [options["kubelet-arg"], options["node-label"]];
}
const marked = (region: string, vmId: number, zone = "pve") => [
  [`provider-id=proxmox://${region}/${vmId}`],
  [`topology.kubernetes.io/region=${region}`, `topology.kubernetes.io/zone=${zone}`],
];

/** The cluster as a version without marks created it. */
function unmarked(plan = mixed()): ClusterRecord {
  const record = clusterRecordOf(plan);
  const without = ({ k3s, ...node }: NodeRecord): NodeRecord => {
    const { "kubelet-arg": _, "node-label": __, ...options } = k3s!.options;
    return { ...node, k3s: { ...k3s!, options } };
  };
  return { ...record, nodes: record.nodes.map(without) };
}

describe("a new node", () => {
  test.each([
    ["k3s-master", 100],
    ["k3s-worker-01", 102],
    ["k3s-vm-1", 120],
  ])("registers with its place: %s", (name, vmId) => {
    expect(marks(name, mixed())).toEqual(marked("pve", vmId));
    expect(marks(name, mixed(REGION))).toEqual(marked("lab", vmId));
  });

  test("has its own labels and arguments instead of the marks of the same name, and in addition to the others", () => {
    const labels = { tier: "one", "topology.kubernetes.io/zone": "rack-1" };
    const own = changed(worker({ labels }), { k3s: { agentConfig: { "kubelet-arg": "max-pods=60" } } });
    expect(marks("k3s-worker-01", mixed(own))).toEqual([
      ["max-pods=60", "provider-id=proxmox://pve/102"],
      ["tier=one", "topology.kubernetes.io/zone=rack-1", "topology.kubernetes.io/region=pve"],
    ]);
    const serverConfig = { "kubelet-arg": ["--provider-id=aws:///a/b"] };
    const [kubelet] = marks("k3s-master", mixed({ k3s: { serverConfig } }));
    expect(kubelet).toEqual(["--provider-id=aws:///a/b"]);
  });
});

describe("an existing node", () => {
  test("keeps the marks that it has", () => {
    const former = clusterRecordOf(mixed());
    expect(transitions(former, mixed(REGION))).toEqual({ changes: [], refusals: [] });
    expect(marks("k3s-vm-1", mixed(REGION), former)).toEqual(marked("pve", 120));
    const { changes } = transitions(former, mixed(changed(REGION, worker({ count: 3, labels: { tier: "1" } }))));
    expect(changes.map(({ node, effect }) => `${node} ${effect}`)).toEqual([
      "k3s-worker-01 k3sRestart",
      "k3s-worker-02 k3sRestart",
      "k3s-worker-03 join",
    ]);
  });

  test("gets none if it was created without", () => {
    const former = unmarked();
    expect(transitions(former, mixed(REGION))).toEqual({ changes: [], refusals: [] });
    expect(marks("k3s-master", mixed(), former)).toEqual([undefined, undefined]);
    const agentConfig = { "kubelet-arg": "max-pods=60" };
    expect(marks("k3s-worker-01", mixed({ k3s: { agentConfig } }), former)).toEqual(["max-pods=60", undefined]);
  });

  test("gets those of its new machine with a new VMID", () => {
    const to = mixed(changed(REGION, worker({ vmIds: { from: 202 } })));
    for (const former of [clusterRecordOf(mixed()), unmarked()]) {
      expect(marks("k3s-worker-01", to, former)).toEqual(marked("lab", 202));
      const [first] = transitions(former, to).changes;
      expect(first).toEqual({ node: "k3s-worker-01", effect: "rebuild", reasons: ["VMID"] });
    }
  });

  test("keeps the place where it was created after its guest has moved", () => {
    const record = clusterRecordOf(mixed());
    const former = { ...record, nodes: record.nodes.map((node) => ({ ...node, proxmoxNode: "pve2" })) };
    const to = mixed({ proxmox: { node: "pve2" } });
    expect(transitions(former, to)).toEqual({ changes: [], refusals: [] });
    expect(marks("k3s-vm-1", to, former)).toEqual(marked("pve", 120));
  });
});
