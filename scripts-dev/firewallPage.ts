import { DOORS, type Source } from "../plan/firewall";

export const FIREWALL_PAGE = "docs/firewall.md";

const WHO: Readonly<Record<Exclude<Source, object>, string>> = {
  admins: "`adminNetworks`",
  servers: "servers",
  nodes: "all nodes",
  pods: "the node's own pods",
  services: "`nodePorts`",
};
const TARGET = { nodes: "all nodes", servers: "servers", agents: "agents" } as const;

/** The text of `docs/firewall.md`, not formatted yet. */
export function renderFirewallPage(): string {
  const rows = DOORS.map(({ from, to, protocol, ports, why, when }) => [
    typeof from === "object" ? from.networks.join(", ") : WHO[from],
    TARGET[to],
    `${protocol} ${ports.join(", ")}`,
    why,
    when?.words ?? "always",
  ]);
  return [
    HEAD,
    "| from | to | port | what it is | open if |",
    "| --- | --- | --- | --- | --- |",
    ...rows.map((cells) => `| ${cells.join(" | ")} |`),
    "| the networks of an entry of `extra` | all nodes | its ports | `extra` | always |",
    "",
    TAIL,
  ].join("\n");
}

const HEAD = `# The firewall

\`\`\`yaml
firewall: { enabled: true, adminNetworks: [192.168.2.0/24] }
\`\`\`

gives every node a packet filter. It drops every packet, IPv4 and IPv6, that is not listed here. \`adminNetworks\` are the networks of
people; the machine that runs \`pulumi up\` must be in one of them. \`nodePorts\` are the networks that use services; without it,
\`adminNetworks\` ([config](config.md#firewall)). \`npm run docs\` generates this page from \`plan/firewall.ts\`, which
also defines the rules.

## Open ports
`;

const TAIL = `Answers to a node's own connections are always accepted. So are the messages that IPv6 needs. Services are the ports
80 and 443 and the NodePorts (\`service-node-port-range\`); kube-proxy forwards them to pods on any node.
Pods reach other pods, services and the internet. Nothing limits what a node sends. For policies between pods, use
Kubernetes' NetworkPolicy.

A pod that connects to another node has its own node's address there, because flannel translates it. So services are open to all
nodes: a pod reaches the ingress or a NodePort at the address of any node.

## How it works

- The rules are in a separate table, \`inet k3smesh\`. It is replaced in one transaction. The tables of K3s, kube-proxy and flannel do
  not change, and open connections are kept. \`nft list table inet k3smesh\` on a node shows it.
- All nodes have the same rules. The other nodes admit a new node before its K3s starts, and block a node after it
  has left, in the same \`pulumi up\`.
- New rules are on trial for a minute. If this machine cannot connect to a node by SSH in that time, the node goes back to its former
  rules, and \`pulumi up\` fails. Rules on trial also end with a reboot.
- A node that does not run is skipped, and does not block the run. \`npx proxmox-k3s status\` reports a node that runs without the
  latest rules; the next \`pulumi up\` gives them to it.
- The rules are loaded at boot, before there is a network (\`k3smesh.service\`).
- If you switch the firewall off, it is removed from the nodes. They must be running for that.

## What it needs

\`nft\` in each guest (the package \`nftables\`), and the kernel module \`nf_tables\` on the Proxmox host for containers. The program reports it if
one is missing. Put your own rules into separate tables. Remember that a packet must pass all tables.

## What it does not do

Any machine in the network of the nodes can send packets with the address of a node. The pod network accepts packets from
there: with \`flannel-backend: wireguard-native\` they must also be encrypted with the node's key. With \`host-gw\` pods have no
tunnel, so a packet with a pod's address is accepted from the network of the nodes. A change of \`flannel-backend\` on a
running cluster interrupts the pod network while the nodes change one after another, with and without a firewall.
`;
