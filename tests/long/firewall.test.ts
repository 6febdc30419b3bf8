import * as fs from "node:fs";
import * as path from "node:path";

import { findLab, labNetwork, labPaths } from "../../lab/lab";
import { loadPlan } from "../../plan/load";
import type { ClusterPlan, NodePlan } from "../../plan/model";
import { sshAnswers } from "../../remote/sshAnswers";
import { deployEverywhere, readyPods, requests } from "../support/countedRequests";
import { eventually, Lab, sampler } from "../support/lab";
import { probing, portsToTry, reached, reaches, type Sender } from "../support/portProbes";
import type { PulumiResult } from "../support/pulumiResult";
import { succeeded } from "../support/succeeded";

/*
 * The firewall of running nodes: real systemd, real rules, real packets, and pods whose requests are counted. Three servers with
 * etcd and one or two agents, from a firewall that is off to one that is off again. The tests build on each other.
 */

const lab = new Lab("firewall");
const SERVERS = [100, 110, 111];
const AGENT = 102;
const JOINING = { vmid: 103, name: "k3s-worker-02" };
const FIREWALL = `${lab.stack}-firewall`;

let prefix: string;
/** Hosts outside the cluster: addresses of the lab's Proxmox host, of which only the last is really its own. */
const outside = (): Record<"admin" | "client" | "monitoring" | "stranger", string> => ({
  ...{ admin: `${prefix}.241`, client: `${prefix}.225`, monitoring: `${prefix}.209`, stranger: `${prefix}.1` },
});

const plan = (): ClusterPlan => loadPlan(lab.config);
const up = (): Promise<PulumiResult> => lab.pulumiResult("up", "--yes", "--skip-preview");
const changesNothing = (): Promise<string> => lab.pulumiOk("up", "--yes", "--skip-preview", "--expect-no-changes");
const scaleTo = (count: number): void => lab.edit(({ pools }) => (pools.worker.count = count));

const root = (vmid: number): string => path.join(labPaths(lab.name).lxc, String(vmid), "rootfs");
const rulesOf = (vmid: number): string => fs.readFileSync(path.join(root(vmid), "etc/k3smesh/rules.nft"), "utf8");
const loadedAt = (vmid: number): number => fs.statSync(path.join(root(vmid), "etc/k3smesh/rules.nft")).mtimeMs;
/** The rules in its kernel. */
const loaded = (vmid: number): Promise<string> => lab.inGuest(vmid, "nft list table inet k3smesh 2>/dev/null || true");
/** Whether rules name an address of the lab's network. */
const names = (rules: string, last: number): boolean => new RegExp(`${prefix}\\.${last}\\b`).test(rules);
const vmids = (): number[] => plan().nodes.map(({ vmId }) => vmId);
const ofAll = async <T>(look: (vmid: number) => Promise<T>): Promise<T[]> => Promise.all(vmids().map(look));
const k3sStarts = (): Promise<string[]> =>
  ofAll((vmid) => lab.inGuest(vmid, "systemctl show -p ActiveEnterTimestampMonotonic --value k3s k3s-agent"));

/** Requests from pods and from a client, from now until they are stopped. */
const counting = (): ReturnType<typeof requests> =>
  requests(
    lab,
    plan().nodes.map(({ address }) => address),
    outside().client,
  );

const sixOf = (address: string): string => `fd18::${address.split(".").at(-1)}`;
/** Addresses of IPv6, which Proxmox VE does not set. A node that refuses many ports at once logs each of them. */
async function prepareProbes(): Promise<void> {
  const calm = "echo 0 >/proc/sys/net/ipv4/icmp_ratelimit; echo 0 >/proc/sys/net/ipv6/icmp/ratelimit";
  for (const { vmId, address } of plan().nodes)
    await lab.inGuest(vmId, `ip -6 address replace ${sixOf(address)}/64 dev eth0 nodad; ${calm}`);
  const own = Object.values(outside()).map((address) => `ip address replace ${address}/24 dev vmbr0`);
  await lab.host([...own, "ip -6 address replace fd18::1/64 dev vmbr0 nodad"].join("; "));
}

beforeAll(async () => {
  await lab.down();
  await lab.up();
  ({ prefix } = labNetwork(findLab(lab.name)!.subnet));
  lab.edit(({ k3s, pools }) => {
    // The stand-in always routes between the nodes; K3s does so with this backend.
    Object.assign(k3s, { datastore: "etcd", serverConfig: { "flannel-backend": "host-gw" } });
    const addresses = [20, 60, 61].map((last) => `${prefix}.${last}`);
    Object.assign(pools.master, { count: 3, hostname: "k3s-master-{0}", vmIds: SERVERS, addresses });
    pools.worker.count = 1;
  });
  succeeded(await up());
  await deployEverywhere(lab);
  await lab.kubectl("apply", "-f", "lab/demo/hello.yaml");
  await prepareProbes();
}, 45 * 60_000);
afterAll(() => lab.down(), 120_000);

it("without it every port of every node can be reached, with IPv4 and IPv6", async () => {
  const addresses = plan().nodes.flatMap(({ address }) => [address, sixOf(address)]);
  const said = await lab.hostWithInput("sh -e", probing(addresses, plan()));
  const ports = (["tcp", "udp"] as const).flatMap((of) => portsToTry(of, plan()).map((port) => `${of} ${port}`));
  expect(reached(said, addresses, plan())).toEqual(
    Object.fromEntries(addresses.map((address) => [address, [...ports, "ping"]])),
  );
}, 120_000);

it("switching it on fails no request, ends no connection and restarts no K3s; a second up changes nothing", async () => {
  const before = await k3sStarts();
  const asked = await counting();
  lab.edit((cluster) => {
    cluster.firewall = { enabled: true, adminNetworks: [`${prefix}.240/28`], nodePorts: [`${prefix}.224/28`] };
    cluster.firewall.extra = { metrics: { ports: 9100, networks: [`${prefix}.208/28`] } };
  });
  const on = await up();
  succeeded(on);
  await changesNothing();
  const counted = await asked.stop();
  expect(counted.filter(({ asked }) => asked < 10)).toEqual([]);
  expect(counted.filter(({ failed }) => failed > 0)).toEqual([]);
  expect(on.changes[FIREWALL]).toEqual(["create"]);
  expect(Object.keys(on.changes).filter((name) => !/-(firewall|rules|preflight)$/.test(name))).toEqual([]);
  expect(await k3sStarts()).toEqual(before);
  for (const vmid of vmids()) {
    expect(await loaded(vmid)).toContain(`${prefix}.240/28`);
    expect(
      await lab.inGuest(vmid, "systemctl is-enabled k3smesh; systemctl list-timers --all k3smesh-back.timer"),
    ).toMatch(/^enabled\n[^]*0 timers listed/);
  }
}, 400_000);

it("a node that joins can reach all others before its K3s starts", async () => {
  const others = vmids();
  scaleTo(2);
  const joined = await up();
  succeeded(joined);
  expect(joined.changes[FIREWALL]).toEqual(["update"]);
  const start = 'date -d "$(systemctl show --timestamp=us -p InactiveExitTimestamp --value k3s-agent)" +%s%3N';
  const started = Number(await lab.inGuest(JOINING.vmid, start));
  for (const vmid of [...others, JOINING.vmid]) {
    expect([vmid, loadedAt(vmid) < started]).toEqual([vmid, true]);
    expect(rulesOf(vmid)).toBe(rulesOf(others[0]!));
    expect(names(await loaded(vmid), 22)).toBe(true);
  }
}, 400_000);

it("pods of all nodes reach each other, their service, and nodes serve a client", async () => {
  const asked = await counting();
  const counted = await asked.stop();
  expect(counted.map(({ failed }) => failed)).toEqual(counted.map(() => 0));
  expect(counted.every(({ asked }) => asked > 0)).toBe(true);
}, 180_000);

describe("every listed port is open for its sources, and every other port is closed", () => {
  beforeAll(prepareProbes, 60_000);

  /** By sender and node, which ports are listed. */
  const expected = (sender: Sender, nodes: readonly NodePlan[]): Record<string, string[]> =>
    Object.fromEntries(nodes.map((node) => [node.address, reaches(sender, node, plan())]));
  const nothing = (nodes: readonly NodePlan[]): Record<string, string[]> =>
    Object.fromEntries(nodes.map(({ address }) => [sixOf(address), []]));

  it.each(["admin", "client", "monitoring", "stranger"] as const)(
    "from outside: %s",
    async (name) => {
      const { nodes } = plan();
      const from = outside()[name];
      const addresses = nodes.map(({ address }) => address);
      const said = await lab.hostWithInput("sh -e", probing(addresses, plan(), { from }));
      const list = expected({ name, address: from }, nodes);
      expect(reached(said, addresses, plan())).toEqual(list);
      expect(Object.values(list).some((ports) => ports.length > 0)).toBe(name !== "stranger");
    },
    60_000,
  );

  it("from outside with IPv6", async () => {
    const addresses = plan().nodes.map(({ address }) => sixOf(address));
    const said = await lab.hostWithInput("sh -e", probing(addresses, plan()));
    expect(reached(said, addresses, plan())).toEqual(nothing(plan().nodes));
  }, 60_000);

  it("from each node to each other one", async () => {
    for (const node of plan().nodes) {
      const others = plan().nodes.filter(({ name }) => name !== node.name);
      const addresses = others.flatMap(({ address }) => [address, sixOf(address)]);
      const said = await lab.inGuest(node.vmId, probing(addresses, plan()));
      expect([node.name, reached(said, addresses, plan())]).toEqual([
        node.name,
        { ...expected(node, others), ...nothing(others) },
      ]);
    }
  }, 120_000);

  it("from a pod of each node to its own node, and as that node to the others", async () => {
    const as = 'nsenter --net --target "$(pgrep -o -x httpd)"';
    const addresses = plan().nodes.map(({ address }) => address);
    for (const node of plan().nodes) {
      const said = await lab.inGuest(node.vmId, probing(addresses, plan(), { as }));
      const list = expected(node, plan().nodes);
      const own = reaches({ name: "pod", address: "10.42.0.9", isPod: true }, node, plan());
      expect([node.name, reached(said, addresses, plan())]).toEqual([node.name, { ...list, [node.address]: own }]);
    }
  }, 120_000);
});

it("a node that leaves can reach the others until it has left, and the drain respects the disruption budget", async () => {
  // A replica on the node that leaves: otherwise the drain would have nothing to do.
  await lab.kubectl("rollout", "restart", "deployment/hello");
  await lab.kubectl("rollout", "status", "deployment/hello", "--timeout=120s");
  const replicas = await eventually(120, async () => {
    const ready = await readyPods(lab, "hello");
    return ready.length === 3 && ready;
  });
  expect(replicas.map(({ spec }) => spec.nodeName)).toContain(JOINING.name);
  const stay = vmids().filter((vmid) => vmid !== JOINING.vmid);
  const letIn = (vmid: number): boolean => names(rulesOf(vmid), 22);
  const samples = sampler(async () => {
    // The order matters: a node that is still listed after the check was listed during it.
    const shutOut = stay.filter((vmid) => !letIn(vmid)).length;
    const isNode = (await lab.kubectl("get", "node", JOINING.name, "--ignore-not-found", "-o", "name")) !== "";
    return { shutOut, isNode, ready: (await readyPods(lab, "hello")).length };
  });
  scaleTo(1);
  succeeded(await up());
  const seen = await samples.stop();
  expect(seen.filter(({ shutOut, isNode }) => shutOut > 0 && isNode)).toEqual([]);
  expect(seen.some(({ shutOut, isNode }) => shutOut === 0 && isNode)).toBe(true);
  expect(seen.filter(({ ready }) => ready < 2)).toEqual([]);
  for (const vmid of stay) expect([vmid, letIn(vmid), names(await loaded(vmid), 22)]).toEqual([vmid, false, false]);
  await changesNothing();
}, 400_000);

it("a wrong admin network: up says so, and within a minute systemd restores the former rules", async () => {
  const { nodes } = plan();
  const [before, right] = [rulesOf(AGENT), plan().firewall!.adminNetworks];
  lab.edit(({ firewall }) => (firewall.adminNetworks = [`${prefix}.208/28`]));
  const addresses = nodes.map(({ address }) => address);
  const answers = (): Promise<boolean[]> => Promise.all(addresses.map((address) => sshAnswers([address], 1)));
  const began = Math.floor(Date.now() / 1000);
  const looks = sampler(answers);
  const wrong = await up();
  await eventually(90, async () => !(await answers()).includes(false));
  expect(wrong.code).not.toBe(0);
  const locked = nodes.map(({ name }) => name).sort();
  expect(wrong.errors.join("\n")).toContain(
    `with the rules of the firewall this machine does not reach ${locked.join(", ")} by SSH; each node goes back to its former rules within a minute`,
  );
  expect(wrong.errors.join("\n")).toContain("add this machine's network to cluster.firewall.adminNetworks");
  // The wrong rules were active.
  expect(await looks.stop()).toContainEqual(addresses.map(() => false));
  for (const vmid of vmids()) {
    expect(rulesOf(vmid)).toBe(before);
    const units = "-u k3smesh-back.timer -u k3smesh-back.service";
    const journal = await lab.inGuest(vmid, `journalctl --since @${began} ${units} -o short-unix`);
    const times = journal
      .split("\n")
      .filter((line) => /^\d/.test(line))
      .map(Number.parseFloat);
    expect(journal).toMatch(/: former$/m);
    expect(times.at(-1)! - times[0]!).toBeLessThan(60);
  }
  lab.edit(({ firewall }) => (firewall.adminNetworks = right));
  await changesNothing();
}, 400_000);

it("a node that boots has its rules before SSH or K3s starts", async () => {
  const before = rulesOf(AGENT);
  await lab.host(`pct reboot ${AGENT}`);
  await eventually(120, () => lab.inGuest(AGENT, "systemctl is-active k3s-agent"));
  const at = (unit: string): Promise<number> =>
    lab.inGuest(AGENT, `systemctl show -p ActiveEnterTimestampMonotonic --value ${unit}`).then(Number);
  const rules = await at("k3smesh.service");
  expect(rules).toBeGreaterThan(0);
  for (const unit of ["ssh.service", "k3s-agent.service"])
    expect([unit, (await at(unit)) > rules]).toEqual([unit, true]);
  expect([rulesOf(AGENT), (await loaded(AGENT)).includes(`${prefix}.240/28`)]).toEqual([before, true]);
  await changesNothing();
}, 300_000);

it("a node that is down does not stop the others; status names it when it is back, and the next up gives it the rules", async () => {
  await lab.host(`pct stop ${AGENT}`);
  lab.edit(({ firewall }) => (firewall.extra.metrics.ports = "9100-9101"));
  const without = await up();
  succeeded(without);
  expect(without.said[FIREWALL]).toContain(
    "these nodes do not run, so they still have their former rules: k3s-worker-01. When they run again: pulumi up",
  );
  for (const vmid of SERVERS) expect(await loaded(vmid)).toContain("9100-9101");
  await lab.host(`pct start ${AGENT}`);
  await eventually(120, () => lab.inGuest(AGENT, "systemctl is-active k3s-agent"));
  expect(await loaded(AGENT)).not.toContain("9100-9101");
  const status = await lab.cluster("status");
  expect([status.code, status.stdout]).toEqual([
    1,
    expect.stringMatching(/without the latest rules\s+of its firewall/),
  ]);
  const healed = await up();
  succeeded(healed);
  expect(healed.changes).toEqual({ [FIREWALL]: ["update"] });
  expect(await loaded(AGENT)).toContain("9100-9101");
  expect((await lab.cluster("status")).stdout).not.toMatch(/without the latest rules/);
}, 400_000);

it("switching it off leaves no rules or files on the nodes or on the host, and no request fails", async () => {
  const asked = await counting();
  lab.edit(({ firewall }) => (firewall.enabled = false));
  const off = await up();
  succeeded(off);
  expect((await asked.stop()).filter(({ failed }) => failed > 0)).toEqual([]);
  expect(off.changes[FIREWALL]).toEqual(["delete"]);
  for (const vmid of vmids()) {
    const left = await lab.inGuest(
      vmid,
      "nft list tables | grep k3smesh || true; ls -d /etc/k3smesh /run/k3smesh /etc/systemd/system/k3smesh* /etc/systemd/system/*.wants/k3smesh* 2>/dev/null || true; systemctl list-units --all --no-legend 'k3smesh*'",
    );
    expect([vmid, left]).toEqual([vmid, ""]);
  }
  expect(
    await lab.host("ls -d /var/lib/proxmox-k3s/*/firewall /var/lib/proxmox-k3s/*/firewall.trial 2>/dev/null || true"),
  ).toBe("");
  const ssh = await lab.host(`timeout 5 bash -c 'head -c 4 </dev/tcp/${prefix}.21/22'`);
  expect(ssh).toBe("SSH-");
}, 300_000);
