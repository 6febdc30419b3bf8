import { findLab, labNetwork } from "../../lab/lab";
import { loadPlan } from "../../plan/load";
import type { ClusterPlan, NodePlan } from "../../plan/model";
import { deployEverywhere, requests } from "../support/countedRequests";
import { Lab } from "../support/lab";
import { probing, reached, reaches, type Sender } from "../support/portProbes";
import { succeeded } from "../support/succeeded";

/*
 * The firewall of a mixed cluster: a server and an agent in containers, and an agent in a virtual machine, which has its own kernel. The
 * rules exist from the first `up` on. tests/long/firewall.test.ts has the changes. The tests build on each other.
 */

const lab = new Lab("vmfirewall");
const minutes = (count: number) => count * 60_000;
const MACHINE = 110;

let prefix: string;
const plan = (): ClusterPlan => loadPlan(lab.config);
const addresses = (): string[] => plan().nodes.map(({ address }) => address);
const up = async (): Promise<void> => succeeded(await lab.pulumiResult("up", "--yes", "--skip-preview"));
/** Runs a shell script in a node of either kind; returns its output. */
const inNode = ({ kind, vmId }: NodePlan, script: string): Promise<string> =>
  kind === "vm" ? lab.inMachine(vmId, script) : lab.inGuest(vmId, script);
const bootOf = (vmid: number): Promise<string> => lab.inMachine(vmid, "cat /proc/sys/kernel/random/boot_id");

/** By node, which ports a sender may reach by the list. */
const expected = (sender: Sender, nodes: readonly NodePlan[]): Record<string, string[]> =>
  Object.fromEntries(nodes.map((node) => [node.address, reaches(sender, node, plan())]));

/** A node that refuses many ports at once logs each of them. */
async function calm(): Promise<void> {
  for (const node of plan().nodes) await inNode(node, "echo 0 >/proc/sys/net/ipv4/icmp_ratelimit");
}

async function expectMatrix(): Promise<void> {
  await calm();
  const { nodes } = plan();
  for (const node of nodes) {
    const others = nodes.filter(({ name }) => name !== node.name);
    const to = others.map(({ address }) => address);
    const said = await inNode(node, probing(to, plan()));
    expect([node.name, reached(said, to, plan())]).toEqual([node.name, expected(node, others)]);
  }
}

/** Requests from a pod on each node to one on each other node, to the service and to its NodePort, and from a client to each node. */
async function expectAnswers(): Promise<void> {
  const counting = await requests(lab, addresses(), `${prefix}.225`);
  const counted = await counting.stop();
  expect(counted.filter(({ failed }) => failed > 0)).toEqual([]);
  expect(counted.every(({ asked }) => asked > 0)).toBe(true);
}

beforeAll(async () => {
  await lab.down();
  await lab.up("--vms");
  ({ prefix } = labNetwork(findLab(lab.name)!.subnet));
  lab.edit((cluster) => {
    // The stand-in always routes between the nodes; K3s does so with this backend.
    cluster.k3s.serverConfig = { "flannel-backend": "host-gw" };
    cluster.firewall = { enabled: true, adminNetworks: [`${prefix}.240/28`], nodePorts: [`${prefix}.224/28`] };
    Object.assign(cluster.pools.vm, { memory: "1GB", disk: "4GB" });
  });
  await lab.host(["241", "225"].map((last) => `ip address replace ${prefix}.${last}/24 dev vmbr0`).join("; "));
}, minutes(40));
afterAll(() => lab.down(), minutes(2));

it(
  "is there from the first up; pods of both kinds reach each other and their service, and nodes serve a client",
  async () => {
    await up();
    await deployEverywhere(lab);
    await expectAnswers();
    await lab.pulumiOk("up", "--yes", "--skip-preview", "--expect-no-changes");
  },
  minutes(25),
);

it("opens to nodes of both kinds what is listed, and nothing else", expectMatrix, minutes(10));

it.each([
  ["an admin", 241],
  ["a client", 225],
  ["a stranger", 1],
])(
  "opens to %s what is listed, and nothing else",
  async (name, last) => {
    await calm();
    const from = `${prefix}.${last}`;
    const said = await lab.hostWithInput("sh -e", probing(addresses(), plan(), { from }));
    expect(reached(said, addresses(), plan())).toEqual(expected({ name, address: from }, plan().nodes));
  },
  minutes(5),
);

it(
  "is also on the new machine when the agent in the virtual machine is rebuilt with another VMID",
  async () => {
    const former = await bootOf(MACHINE);
    lab.edit(({ pools }) => (pools.vm.nodes = { 1: { vmId: 120 } }));
    await up();
    expect(await bootOf(120)).not.toBe(former);
    await expectMatrix();
    await lab.kubectl("rollout", "status", "daemonset/everywhere", "--timeout=300s");
    await expectAnswers();
  },
  minutes(25),
);
