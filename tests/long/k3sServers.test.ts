import { eventually, Lab } from "../support/lab";
import { K3sGuest, WAITING } from "../support/k3sGuest";

/*
 * What the scripts need from K3s in a cluster with several servers and embedded etcd: how one joins, what prevents it, how a member is
 * removed, what still works without a quorum. K3S_BINARY runs it with a real K3s. The tests build on each other.
 */

const lab = new Lab("etcd");
let one: K3sGuest;
let two: K3sGuest;
let three: K3sGuest;
let four: K3sGuest;
let agent: K3sGuest;

const REMOVE = "etcd.k3s.cattle.io/remove";
const REMOVED = "etcd.k3s.cattle.io/removed-node-name";
const NO_ADD_ONS = "disable: [coredns, servicelb, traefik, local-storage, metrics-server]";
const TOKENS = ["token-file: /etc/rancher/k3s/token", "agent-token-file: /etc/rancher/k3s/agent-token"];
const DATA = "/var/lib/rancher/k3s/server";
const TOMBSTONE = `${DATA}/db/etcd/tombstone`;
const tokenOf = (kind: string, server = one) => server.sh(`cat ${DATA}/${kind}`);

/** A server's files; `config` has the options of etcd, `token` is the one to join with. */
const configure = (guest: K3sGuest, config: readonly string[], token = "server-password") =>
  guest.configure({
    "config.yaml": [...TOKENS, NO_ADD_ONS, ...config],
    token: [token],
    "agent-token": ["agent-password"],
  });
const joining = (server: K3sGuest) => ["cluster-init: true", `server: https://${server.address}:6443`];

interface Member {
  readonly name: string;
  readonly isLearner?: boolean;
}

/** The members that a server lists to its own machine; it cannot without a quorum. */
async function members(server: K3sGuest): Promise<readonly Member[]> {
  const info = await server.sh("curl -sk --max-time 5 https://127.0.0.1:6443/db/info");
  return (JSON.parse(info) as { members: readonly Member[] }).members;
}
/** Names of the nodes whose members vote. A member's name is its node's and a random part. */
const voters = async (server: K3sGuest) =>
  (await members(server))
    .filter(({ isLearner }) => !isLearner)
    .map(({ name }) => name.replace(/-[0-9a-f]+$/, ""))
    .sort();

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
}
interface KubernetesNode {
  readonly metadata: { readonly annotations: Readonly<Record<string, string>> };
  readonly status: { readonly conditions: readonly Condition[] };
}
const node = async (server: K3sGuest, name: string) =>
  JSON.parse(await server.sh(`kubectl get node ${name} -o json`)) as KubernetesNode;
const annotations = async (server: K3sGuest, name: string) => (await node(server, name)).metadata.annotations;
const votes = async (server: K3sGuest, name: string) =>
  (await node(server, name)).status.conditions.find(({ type }) => type === "EtcdIsVoter");
/** K3s checks every 15 seconds. */
const isVoter = (server: K3sGuest, name: string) =>
  eventually(60, async () => (await votes(server, name))?.status === "True");
const ready = (server: K3sGuest) =>
  server.sh("ready() { kubectl get --raw=/readyz >/dev/null 2>&1; }\nwithin 60 ready");
/** Refused by the API itself. The caller's own timeout would be exit code 124. */
const unready = "unready() { timeout 10 /usr/local/bin/k3s kubectl get --raw=/readyz >/dev/null 2>&1; [ $? = 1 ]; }";

beforeAll(async () => {
  await lab.down();
  await lab.up();
  one = new K3sGuest(lab, 111, "server-1");
  two = new K3sGuest(lab, 112, "server-2");
  three = new K3sGuest(lab, 113, "server-3");
  four = new K3sGuest(lab, 114, "server-4");
  agent = new K3sGuest(lab, 115, "agent-1", "k3s-agent");
  await Promise.all([one, two, three, four, agent].map((guest) => guest.make()));
}, 40 * 60_000);
afterAll(() => lab.down(), 120_000);

describe("a single server", () => {
  it("has no etcd: no node votes, and there is no list of members", async () => {
    await configure(one, []);
    await one.restart();
    await one.active(120);
    await one.sh("kubectl create configmap kept --from-literal=word=kept");
    expect(await votes(one, "server-1")).toBeUndefined();
    expect(await one.sh("curl -sk https://127.0.0.1:6443/db/info")).toContain("etcd datastore disabled");
  }, 180_000);

  it("moves to etcd with its objects by cluster-init and a restart, and stays there without it", async () => {
    for (const config of [["cluster-init: true"], []]) {
      await configure(one, config);
      await one.restart();
      await one.active();
      expect(await voters(one)).toEqual(["server-1"]);
    }
    expect(await one.sh("kubectl get configmap kept -o 'jsonpath={.data.word}'")).toBe("kept");
    await isVoter(one, "server-1");
    expect(await votes(one, "server-1")).toMatchObject({
      reason: "MemberNotLearner",
      message: "Node is a voting member of the etcd cluster",
    });
  }, 240_000);

  it("keeps its only voter, and removes the annotation that asks for its removal", async () => {
    await one.sh(`kubectl annotate node server-1 ${REMOVE}=true`);
    await eventually(30, async () => (await annotations(one, "server-1"))[REMOVE] === undefined);
    expect((await annotations(one, "server-1"))[REMOVED]).toBeUndefined();
    expect(await voters(one)).toEqual(["server-1"]);
  }, 60_000);
});

describe("a server that joins", () => {
  it("exits if its token has another cluster's CA or another password", async () => {
    const token = await tokenOf("token");
    const refused = async (wrong: string, line: string) => {
      await configure(two, joining(one), wrong);
      await two.restart();
      await two.seen(`level=fatal .*${line}`);
    };
    await refused(
      token.replace(/^K10[0-9a-f]{64}/, `K10${"a".repeat(64)}`),
      "token CA hash does not match the Cluster CA certificate hash",
    );
    await refused(token.replace("server-password", "wrong"), "not authorized");
  }, 120_000);

  it("becomes a voter, although its configuration has cluster-init too", async () => {
    for (const server of [two, three]) {
      await configure(server, joining(one), await tokenOf("token"));
      await server.restart();
    }
    await agent.configure({
      "config.yaml": [`server: https://${one.address}:6443`, "token-file: /etc/rancher/k3s/token"],
      token: [await tokenOf("agent-token")],
    });
    await agent.restart();
    for (const server of [two, three]) await server.active(120);
    await agent.active();
    expect(await voters(three)).toEqual(["server-1", "server-2", "server-3"]);
    for (const name of ["server-2", "server-3"]) await isVoter(one, name);
    expect(await three.sh("kubectl get configmap kept -o 'jsonpath={.data.word}'")).toBe("kept");
  }, 300_000);
});

describe("a server that is dead", () => {
  it("stops neither the API of the others nor an agent that has only its address", async () => {
    const known = "/var/lib/rancher/k3s/agent/etc/k3s-agent-load-balancer.json";
    const address = `${two.address}:6443`;
    await agent.sh(`within 30 grep -qF ${address} ${known}`);
    await lab.host(`pct stop ${one.vmid}`);
    await ready(two);
    await agent.restart();
    await agent.active(120);
  }, 180_000);

  it("prevents others from joining until it is removed", async () => {
    await configure(four, joining(two), await tokenOf("token", two));
    await four.restart();
    await four.seen("Waiting for other members to finish joining etcd cluster: etcdserver: unhealthy cluster", 2);
    expect(await four.state()).toBe(WAITING);
    await two.sh(`kubectl annotate node server-1 ${REMOVE}=true`);
    const removed = await eventually(90, async () => (await annotations(two, "server-1"))[REMOVED]);
    expect(removed).toMatch(/^server-1-[0-9a-f]{8}$/);
    await four.active(120);
    expect(await voters(two)).toEqual(["server-2", "server-3", "server-4"]);
    await two.sh("kubectl delete node server-1 --timeout=60s");
  }, 300_000);

  it("stays out when its machine is back, and does not begin a new cluster", async () => {
    await lab.host(`pct start ${one.vmid}`);
    await one.sh("within 60 test -S /run/systemd/private; restart");
    await one.seen("the member has been permanently removed from the cluster");
    expect(await one.sh("systemctl is-active k3s || :")).toBe("activating");
    expect(await voters(two)).toEqual(["server-2", "server-3", "server-4"]);
    await one.sh("systemctl stop k3s");
  }, 180_000);
});

describe("a member that is removed while its server runs", () => {
  it("makes its server not ready; that server starts again only if it has a server to join", async () => {
    const before = (await members(two)).find(({ name }) => name.startsWith("server-4"))!.name;
    await two.sh(`kubectl annotate node server-4 ${REMOVE}=true`);
    await eventually(90, async () => (await annotations(two, "server-4"))[REMOVED] === before);
    expect(await voters(two)).toEqual(["server-2", "server-3"]);
    await four.sh(`within 60 test -e ${TOMBSTONE}; ${unready}; within 20 unready`);
    // Otherwise the answer stays on the Node, and K3s uses it for the next removal.
    await two.sh("kubectl delete node server-4 --timeout=60s");
    await configure(four, ["cluster-init: true"]);
    await four.restart();
    await four.seen("level=fatal .*tombstone file has been detected but --server is empty");
    await configure(four, joining(two), await tokenOf("token", two));
    await four.restart();
    await four.seen("tombstone file has been detected, removing");
    await four.active(120);
    expect(await voters(two)).toEqual(["server-2", "server-3", "server-4"]);
    expect((await members(two)).map(({ name }) => name)).not.toContain(before);
  }, 240_000);
});

describe("without a quorum", () => {
  it("a server is soon not ready; its restart waits until others are back", async () => {
    for (const server of [three, four]) await server.sh("systemctl stop k3s");
    await two.sh(`${unready}; within 20 unready`);
    await two.restart();
    // Etcd runs and has no leader. K3s itself reports that only half a minute later.
    const health = "curl -s -o /dev/null -w '%{http_code}' http://127.0.0.1:2381/readyz";
    const waits = `[ "$(systemctl is-active k3s)" = activating ] && [ "$(${health})" = 503 ]`;
    await two.sh(`waits() { ${waits}; }; within 60 waits`);
    expect(await two.state()).toBe(WAITING);
    for (const server of [three, four]) await server.restart();
    for (const server of [two, three, four]) await server.active(120);
    await ready(two);
  }, 240_000);
});

describe("a machine that is rebuilt with the name of a member", () => {
  it("cannot join until the Node is deleted, which removes the former member too", async () => {
    await four.sh(`systemctl stop k3s; rm -r ${DATA}/db`);
    await four.restart();
    await four.seen("etcd cluster join failed: duplicate node name found");
    await four.sh("systemctl stop k3s");
    await two.sh("kubectl delete node server-4 --timeout=90s");
    expect(await voters(two)).toEqual(["server-2", "server-3"]);
    await four.restart();
    await four.active(120);
    expect(await voters(two)).toEqual(["server-2", "server-3", "server-4"]);
  }, 240_000);
});
