import { type Door, doorsOf, type Source, tunnelOf } from "../firewall";
import type { ClusterPlan, FirewallPlan } from "../model";

/** The program's own table. It never changes other tables: K3s, kube-proxy and flannel have theirs. */
const TABLE = "inet k3smesh";

/** The bridge of a node's pods. */
const PODS = "cni0";

/**
 * The packet filter of the nodes, as one file for `nft -f`. It replaces its table in one transaction. All nodes have the same
 * text, so a new node changes only one text. A rule for servers therefore checks the packet's destination address.
 *
 * The host adds the addresses of nodes that are no longer in the plan, but still in the cluster (scripts/lib/firewall.sh).
 */
export function nftables(plan: ClusterPlan & { readonly firewall: FirewallPlan }): string {
  const { servers, agents, nodes, firewall } = plan;
  const addresses = (of: readonly { readonly address: string }[]): string[] => of.map(({ address }) => address);
  const doors = doorsOf(plan);
  const input = [
    "ct state established,related accept",
    'iifname "lo" accept',
    // IPv6 needs these. Only routers and machines on the same link can send them.
    "icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, nd-router-advert } ip6 hoplimit 255 accept",
    "icmpv6 type mld-listener-query accept",
    ...doors.map((door) => `${sourceOf(door.from, plan)} ${targetOf(door)}${portOf(door)} accept ${comment(door.why)}`),
    "counter",
  ];
  const forward = [
    "ct state established,related accept",
    `iifname "${PODS}" ip saddr ${plan.network.podCidr} accept ${comment("pods of this node")}`,
    ...fromOtherNodes(plan).map((rule) => `${rule} accept ${comment("pods of other nodes")}`),
    // Pods of this node are already accepted above.
    ...doors
      .filter(({ forwarded, from }) => forwarded && from !== "pods")
      .map((door) => `ct status dnat ${sourceOf(door.from, plan)} ${portOf(door)} accept ${comment(door.why)}`),
    "counter",
  ];
  return [
    // The first line makes sure that there is something to delete.
    `table ${TABLE}`,
    `delete table ${TABLE}`,
    `table ${TABLE} {`,
    ...set("servers", "ipv4_addr", addresses(servers)),
    ...set("agents", "ipv4_addr", addresses(agents)),
    ...set("nodes", "ipv4_addr", addresses(nodes)),
    ...set("admins", "ipv4_addr", firewall.adminNetworks, INTERVALS),
    ...set("services", "ipv4_addr", firewall.nodePortNetworks, INTERVALS),
    // With a set without a name, nft would print these ports as numbers without a type.
    ...set("ports", "inet_service", doors.find(({ from }) => from === "services")?.ports ?? [], ["flags interval"]),
    ...chain("input", input),
    ...chain("forward", forward),
    "}",
  ].join("\n");
}

const INTERVALS = ["flags interval", "auto-merge"];

function set(name: string, type: string, elements: readonly string[], flags: readonly string[] = []): string[] {
  const lines = [`type ${type}`, ...flags, ...(elements.length > 0 ? [`elements = { ${elements.join(", ")} }`] : [])];
  return [`  set ${name} {`, ...lines.map((line) => `    ${line}`), "  }"];
}

/** Drops every packet that no rule accepts, of IPv4 and of IPv6. */
function chain(hook: string, rules: readonly string[]): string[] {
  const lines = [`type filter hook ${hook} priority filter`, "policy drop", ...rules];
  return [`  chain ${hook} {`, ...lines.map((line) => `    ${line}`), "  }"];
}

function sourceOf(from: Source, { network }: ClusterPlan): string {
  if (typeof from === "object") return `ip saddr ${inBraces(from.networks)}`;
  // Any machine can write a pod's address into a packet, but it cannot send the packet from inside the node.
  return from === "pods" ? `iifname "${PODS}" ip saddr ${network.podCidr}` : `ip saddr @${from}`;
}

/** A door to all nodes needs no check of the destination; a door to some nodes does. */
const targetOf = ({ to }: Door): string => (to === "nodes" ? "" : `ip daddr @${to} `);

function portOf({ protocol, ports, forwarded }: Door): string {
  if (protocol === "icmp") return `icmp type ${inBraces(ports)}`;
  // At this point, kube-proxy has already put the pod's port into the packet.
  if (forwarded) return `meta l4proto ${protocol} ct original proto-dst ${ports.length > 1 ? "@ports" : ports[0]}`;
  return `${protocol} dport ${inBraces(ports)}`;
}

/** Without a tunnel, only the source tells these packets: they arrive on the nodes' own network. */
function fromOtherNodes(plan: ClusterPlan): string[] {
  const { podCidr } = plan.network;
  const tunnel = tunnelOf(plan);
  if (tunnel !== undefined) return [`iifname "${tunnel}" ip saddr ${podCidr} ip daddr ${podCidr}`];
  return [`ip saddr ${podCidr} ip daddr ${podCidr}`, `ip saddr @nodes ip daddr ${podCidr}`];
}

const inBraces = (values: readonly string[]): string =>
  values.length === 1 ? String(values[0]) : `{ ${values.join(", ")} }`;

const comment = (text: string): string => `comment "${text}"`;
