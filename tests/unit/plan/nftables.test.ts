import { doorsOf, DOORS } from "../../../plan/firewall";
import { nftables } from "../../../plan/render/nftables";
import { SHAPES } from "../../../remote/shapes";
import { firewallPlan } from "../../support/firewallPlan";

/* The rules of the nodes' firewall; tests/scripts/firewall.test.ts loads them. */

const server = (serverConfig: unknown) => ({ k3s: { serverConfig } });
const EMBEDDED = { embeddedRegistry: true, registries: { mirrors: { "*": {} } } };
const EVERYTHING = {
  firewall: {
    nodePorts: ["0.0.0.0/0"],
    extra: { metrics: { ports: "9100-9110", networks: ["10.9.0.0/24", "10.8.0.0/24"] } },
  },
  k3s: {
    datastore: "etcd",
    ...EMBEDDED,
    serverConfig: { "service-node-port-range": "31000-31999" },
    agentConfig: { "kubelet-arg": ["max-pods=60", "read-only-port=10255"] },
  },
};
const linesOf = (change: unknown = {}): string[] =>
  nftables(firewallPlan(change))
    .split("\n")
    .map((line) => line.trim());

test("the homelab's rules, as a person reviewed them", () => expect(nftables(firewallPlan())).toMatchSnapshot());
test("the rules with everything on, as a person reviewed them", () =>
  expect(nftables(firewallPlan(EVERYTHING))).toMatchSnapshot());

test.each([{}, EVERYTHING, server({ "flannel-backend": "host-gw" })])(
  "the gate accepts the rules, and no others: %j",
  (change) => {
    const shape = new RegExp(`^(?:${SHAPES.RULES})$`);
    const rules = nftables(firewallPlan(change));
    expect(shape.test(rules)).toBe(true);
    for (const line of ['  include "/etc/shadow"', "table ip nat {", "  counter; flush ruleset", "flush ruleset"])
      expect([line, shape.test(rules.replace("\n  chain", `\n${line}\n  chain`))]).toEqual([line, false]);
    expect(shape.test(`${rules}\nflush ruleset`)).toBe(false);
  },
);

test("both directions drop what no rule allows, and nothing limits what a node sends", () => {
  const lines = linesOf();
  for (const hook of ["input", "forward"]) {
    const at = lines.indexOf(`chain ${hook} {`);
    expect(lines.slice(at + 1, at + 3)).toEqual([`type filter hook ${hook} priority filter`, "policy drop"]);
  }
  expect(lines.join("\n")).not.toContain("hook output");
});

/** Who may reach which ports of which nodes. */
const matrix = (change: unknown = {}): string[] =>
  doorsOf(firewallPlan(change)).map(
    ({ from, to, protocol, ports }) =>
      `${typeof from === "object" ? from.networks.join(" ") : from} → ${to}: ${protocol} ${ports.join(" ")}`,
  );
const ALWAYS = [
  "admins → nodes: tcp 22",
  "admins → servers: tcp 6443",
  "nodes → servers: tcp 6443",
  "pods → servers: tcp 6443",
  "nodes → nodes: udp 8472",
  "nodes → nodes: tcp 10250",
  "pods → nodes: tcp 10250",
  ...["tcp", "udp"].flatMap((protocol) =>
    ["services", "nodes", "pods"].map((from) => `${from} → nodes: ${protocol} 80 443 30000-32767`),
  ),
  ...["admins", "nodes", "pods"].map((from) => `${from} → nodes: icmp echo-request`),
];

test("with K3s' defaults only these ports are open", () => expect(matrix()).toEqual(ALWAYS));

test.each<[string, unknown, string[], string[]]>([
  ["etcd", { k3s: { datastore: "etcd" } }, ["servers → servers: tcp 2379-2380"], []],
  [
    "etcd's metrics",
    { k3s: { datastore: "etcd", serverConfig: { "etcd-expose-metrics": true } } },
    ["servers → servers: tcp 2379-2380", "nodes → servers: tcp 2381", "pods → servers: tcp 2381"],
    [],
  ],
  ["the same of a datastore that is not etcd", server({ "etcd-expose-metrics": true }), [], []],
  [
    "WireGuard",
    server({ "flannel-backend": "wireguard-native" }),
    ["nodes → nodes: udp 51820"],
    ["nodes → nodes: udp 8472"],
  ],
  ["routes", server({ "flannel-backend": "host-gw" }), [], ["nodes → nodes: udp 8472"]],
  ["the embedded registry", { k3s: EMBEDDED }, ["nodes → nodes: tcp 5001 6443"], []],
  [
    "the kubelet's port without authentication, of servers",
    server({ "kubelet-arg": ["read-only-port=10255"] }),
    ["nodes → servers: tcp 10255"],
    [],
  ],
  [
    "the same of agents",
    { k3s: { agentConfig: { "kubelet-arg": "read-only-port=10255" } } },
    ["nodes → agents: tcp 10255"],
    [],
  ],
  ["the same switched off", server({ "kubelet-arg": ["read-only-port=0"] }), [], []],
  [
    "an extra port",
    { firewall: { extra: { metrics: { ports: 9100, networks: ["10.9.0.0/24"] } } } },
    ["10.9.0.0/24 → nodes: tcp 9100"],
    [],
  ],
])("%s opens what it needs", (_, change, more, fewer) => {
  const [seen, plain] = [matrix(change), matrix()];
  expect([seen.filter((each) => !plain.includes(each)), plain.filter((each) => !seen.includes(each))]).toEqual([
    more,
    fewer,
  ]);
});

test("without a firewall there is no list of ports, and each known port has a reason", () => {
  const { firewall: _, ...off } = firewallPlan();
  expect(doorsOf(off)).toEqual([]);
  expect(DOORS.filter(({ why }) => why === "")).toEqual([]);
});

test("a node that joins changes only the sets", () => {
  const [two, three] = [linesOf(), linesOf({ pools: { worker: { count: 3 } } })];
  expect(three.filter((line) => !two.includes(line))).toEqual([
    "elements = { 192.168.2.21, 192.168.2.22, 192.168.2.23 }",
    "elements = { 192.168.2.20, 192.168.2.21, 192.168.2.22, 192.168.2.23 }",
  ]);
});
