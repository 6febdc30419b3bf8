import { isIPv4 } from "../../config/fields";
import type { NodeIdentity } from "../allocate";
import { contains, overlap, prefixOf, rangeOf, toNumber } from "../network";
import type { Problem } from "../../config/problems";
import type { Draft, NetworkSettings } from "../../config/schema";

/** Kubernetes gives each node a /24 of the pod network (`--node-cidr-mask-size`). */
const NODE_POD_PREFIX = 24;
/** kube-apiserver: "the mask must be >= 12". */
export const WIDEST_SERVICE_PREFIX = 12;
export const NARROWEST_SERVICE_PREFIX = 28;

/** Checks the node network, and that the node, pod and service networks fit together. */
export function checkNetwork({ network, proxmox }: Draft, identities: readonly NodeIdentity[]): Problem[] {
  if (!network) return [];
  return [
    ...checkGateway(network),
    ...checkOverlaps(network),
    ...checkSizes(network, identities.length),
    ...checkNameservers(network, identities),
    ...checkOutside(network, proxmox?.host),
  ];
}

function checkGateway({ cidr, gateway }: NetworkSettings): Problem[] {
  const path = "cluster.network.gateway";
  const range = rangeOf(cidr);
  if (prefixOf(cidr) > 30)
    return [
      {
        path: "cluster.network.cidr",
        problem: `has no room for a gateway and a node: ${cidr}`,
        hint: "a prefix of /30 or less",
      },
    ];
  if (!contains(range, gateway))
    return [
      {
        path,
        problem: `must be an address in ${cidr}, not ${gateway}`,
        hint: "nodes reach their gateway without another router",
      },
    ];
  const value = toNumber(gateway);
  if (value === range.first || value === range.last) {
    return [
      {
        path,
        problem: `must not be the ${value === range.first ? "network" : "broadcast"} address of ${cidr}, ${gateway}`,
      },
    ];
  }
  return [];
}

function checkOverlaps({ cidr, podCidr, serviceCidr }: NetworkSettings): Problem[] {
  const networks = { cidr, podCidr, serviceCidr };
  const pairs = [
    ["podCidr", "cidr"],
    ["serviceCidr", "cidr"],
    ["serviceCidr", "podCidr"],
  ] as const;
  return pairs
    .filter(([one, other]) => overlap(rangeOf(networks[one]), rangeOf(networks[other])))
    .map(([one, other]) => ({
      path: `cluster.network.${one}`,
      problem: `must not overlap cluster.network.${other}: ${networks[one]} and ${networks[other]} share addresses`,
      hint: "nodes, pods and services each need a network of their own",
    }));
}

function checkSizes({ podCidr, serviceCidr }: NetworkSettings, nodeCount: number): Problem[] {
  const room = 2 ** (NODE_POD_PREFIX - prefixOf(podCidr));
  const problems: Problem[] = [];
  if (room < nodeCount || room < 1) {
    const problem = `must hold a /${NODE_POD_PREFIX} for each of ${nodeCount} nodes; ${podCidr} has room for ${Math.floor(room)}`;
    problems.push({ path: "cluster.network.podCidr", problem, hint: "10.42.0.0/16, the default, has room for 256" });
  }
  const servicePrefix = prefixOf(serviceCidr);
  if (servicePrefix < WIDEST_SERVICE_PREFIX || servicePrefix > NARROWEST_SERVICE_PREFIX) {
    const problem = `must have a prefix from /${WIDEST_SERVICE_PREFIX} to /${NARROWEST_SERVICE_PREFIX}, not /${servicePrefix}`;
    problems.push({
      path: "cluster.network.serviceCidr",
      problem,
      hint: "the API server accepts no larger one, and the cluster DNS needs its tenth address",
    });
  }
  return problems;
}

/** Loopback, multicast and "this network": guests cannot reach a server there. */
const NOBODYS = ["0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/3"];

/** The name servers of the nodes; pods use them too. */
function checkNameservers({ nameservers, gateway }: NetworkSettings, identities: readonly NodeIdentity[]): Problem[] {
  if (nameservers.length === 0) {
    return [
      {
        path: "cluster.network.nameservers",
        problem: "must name at least one name server",
        hint: "often it is the gateway's address; nodes and pods use it to resolve names",
      },
    ];
  }
  return nameservers.flatMap((address, at) => {
    const path = `cluster.network.nameservers[${at}]`;
    if (NOBODYS.some((cidr) => contains(rangeOf(cidr), address))) {
      const problem = `must be an address that the nodes reach, not ${address}`;
      return [{ path, problem, hint: "a local resolver such as systemd-resolved answers only its own machine" }];
    }
    // A node with the gateway's address has a problem of its own.
    const node = identities.find((identity) => identity.address.value === address && address !== gateway);
    if (!node) return [];
    const problem = `must not be ${address}, the address of the node ${node.hostname.value}`;
    return [{ path, problem, hint: "the node would need itself to resolve names before it runs" }];
  });
}

/** The nodes could not reach a host inside the pod or service network. */
function checkOutside(
  { cidr: nodes, nameservers, podCidr, serviceCidr }: NetworkSettings,
  host: string | undefined,
): Problem[] {
  const outsiders = [
    ...nameservers.map((address, at) => ({ path: `cluster.network.nameservers[${at}]`, address })),
    ...(isIPv4(host) ? [{ path: "cluster.proxmox.host", address: host }] : []),
  ];
  return outsiders.flatMap(({ path, address }) =>
    Object.entries({ podCidr, serviceCidr })
      .filter(([, cidr]) => contains(rangeOf(cidr), address) && !overlap(rangeOf(cidr), rangeOf(nodes)))
      .map(([name, cidr]) => ({
        path,
        problem: `must not be inside cluster.network.${name}: ${address} is in ${cidr}`,
        hint: "nodes would look for it in the cluster",
      })),
  );
}
