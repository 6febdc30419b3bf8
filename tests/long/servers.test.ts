import { isDeepStrictEqual } from "node:util";
import { findLab, labNetwork } from "../../lab/lab";
import { eventually, Lab } from "../support/lab";

/*
 * Several servers with real parts: etcd's members and their quorum are real. One cluster grows from one server to three, replaces its
 * first one, loses another, and shrinks again; it stays the same cluster. The tests build on each other.
 */

const lab = new Lab("servers");
const VMIDS = [100, 110, 111, 112, 113];
const NAMES = ["k3s-master", "k3s-master-2", "k3s-master-3", "k3s-master-4", "k3s-master-5"];

const NO_MEMBER = { "etcd.k3s.cattle.io/node-name": null, "etcd.k3s.cattle.io/node-address": null };

interface Node {
  readonly metadata: { readonly name: string; readonly annotations: Readonly<Record<string, string>> };
  readonly status: { readonly conditions: readonly { readonly type: string; readonly status: string }[] };
}

/** A number of servers, without those indices, and one worker. */
function wish(count: number, ...retired: number[]): void {
  const { prefix } = labNetwork(findLab(lab.name)!.subnet);
  const addresses = [20, 60, 61, 62, 63].map((last) => `${prefix}.${last}`);
  lab.edit(({ pools, k3s }) => {
    k3s.datastore = "etcd";
    Object.assign(pools.master, { count, retired, hostname: "k3s-master-{0}", vmIds: VMIDS, addresses });
    pools.worker.count = 1;
  });
}
const up = (): Promise<string> => lab.pulumiOk("up", "--yes", "--skip-preview");

/** Nodes by name: whether each is Ready, and whether it has a vote in etcd. */
async function nodes(): Promise<Record<string, string>> {
  const { items } = await lab.kubectlJson<{ items: Node[] }>("get", "nodes");
  const is = (node: Node, type: string): boolean =>
    node.status.conditions.some((each) => each.type === type && each.status === "True");
  const words = (node: Node) => [
    ...(is(node, "Ready") ? ["Ready"] : []),
    ...(is(node, "EtcdIsVoter") ? ["votes"] : []),
  ];
  return Object.fromEntries(items.map((node) => [node.metadata.name, words(node).join(" ")]));
}
/** K3s checks every 15 seconds which members vote. */
async function expectNodes(servers: readonly number[]): Promise<void> {
  const voting = servers.map((index) => [NAMES[index - 1], "Ready votes"]);
  const expected = { ...Object.fromEntries(voting), "k3s-worker-01": "Ready" };
  await eventually(60, async () => isDeepStrictEqual(await nodes(), expected)).catch(() => {});
  expect(await nodes()).toEqual(expected);
}
/** The start time of K3s on a node; if it is the same before and after, nothing was restarted. */
const started = (vmid: number): Promise<string> =>
  lab.host(`pct exec ${vmid} -- systemctl show -p ActiveEnterTimestampMonotonic --value k3s k3s-agent`);
/** An object that only this cluster has. */
const witness = (): Promise<string> => lab.kubectl("get", "configmap", "witness", "-o", "jsonpath={.data.word}");
const guests = async (): Promise<string[]> =>
  (await lab.host("ls /etc/pve/lxc"))
    .trim()
    .split("\n")
    .map((file) => file.replace(".conf", ""));

beforeAll(async () => {
  await lab.down();
  await lab.up();
  wish(1);
  await up();
  await lab.kubectl("create", "configmap", "witness", "--from-literal=word=remember");
}, 40 * 60_000);
afterAll(() => lab.down(), 120_000);

it("one server becomes three, one after the other, and the worker is not touched", async () => {
  const worker = await started(102);
  wish(3);
  await up();
  await expectNodes([1, 2, 3]);
  expect(await started(102)).toBe(worker);
  expect(await witness()).toBe("remember");
}, 600_000);

it("does not change after that, and each server has the same token", async () => {
  const before = await Promise.all([100, 110, 111].map(started));
  await lab.pulumiOk("up", "--yes", "--skip-preview", "--expect-no-changes");
  expect(await Promise.all([100, 110, 111].map(started))).toEqual(before);
  const token = await lab.pulumiOk("stack", "output", "token", "--show-secrets");
  for (const vmid of [100, 110, 111])
    expect(await lab.host(`pct exec ${vmid} -- cat /var/lib/rancher/k3s/server/token`)).toBe(token);
}, 180_000);

it("the first server is removed like any other; the cluster stays the same, with another address", async () => {
  const others = await Promise.all([102, 110, 111].map(started));
  wish(3, 1);
  await up();
  await expectNodes([2, 3, 4]);
  expect(await guests()).toEqual(["102", "110", "111", "112"]);
  expect(await Promise.all([102, 110, 111].map(started))).toEqual(others);
  const { prefix } = labNetwork(findLab(lab.name)!.subnet);
  expect((await lab.pulumiOk("stack", "output", "apiEndpoint")).trim()).toBe(`https://${prefix}.60:6443`);
  expect(await witness()).toBe("remember");
  // The worker has lost the server that it joined through, and knows the others.
  await lab.host("pct exec 102 -- systemctl restart k3s-agent");
  await expectNodes([2, 3, 4]);
}, 600_000);

describe("with a dead server", () => {
  it("the API still works, no other server may be restarted, and the change names the dead one", async () => {
    await lab.host("pct stop 111");
    await eventually(60, async () => (await witness()) === "remember");
    await lab.pulumiOk("config", "set", "--path", "proxmox-k3s:cluster.k3s.serverConfig.etcd-snapshot-retention", "3");
    const refused = await lab.pulumi("up", "--yes", "--skip-preview");
    expect(refused.code).not.toBe(0);
    expect(refused.stdout + refused.stderr).toMatch(/k3s-master-2 was not changed[^]*do not answer: k3s-master-3/);
    await lab.pulumiOk("config", "rm", "--path", "proxmox-k3s:cluster.k3s.serverConfig");
  }, 300_000);

  it("one up replaces it", async () => {
    wish(3, 1, 3);
    await up();
    await expectNodes([2, 4, 5]);
    expect(await guests()).toEqual(["102", "110", "112", "113"]);
    expect(await witness()).toBe("remember");
  }, 600_000);
});

it("three servers become one, one after the other; one of them is only in etcd", async () => {
  // This is the result of a join that was interrupted before the node registered.
  await lab.host("pct exec 113 -- systemctl stop k3s");
  const none = { finalizers: null, labels: { "node-role.kubernetes.io/etcd": null }, annotations: NO_MEMBER };
  await lab.kubectl("patch", "node", NAMES[4]!, "--type=merge", "-p", JSON.stringify({ metadata: none }));
  await lab.kubectl("delete", "node", NAMES[4]!);
  wish(1, 1, 3, 4);
  await up();
  await expectNodes([2]);
  expect(await guests()).toEqual(["102", "110"]);
  expect(await witness()).toBe("remember");
  const secrets = await lab.kubectl("-n", "kube-system", "get", "secrets", "-o", "name");
  expect(secrets.split("\n").filter((name) => name.includes("node-password"))).toHaveLength(2);
}, 600_000);
