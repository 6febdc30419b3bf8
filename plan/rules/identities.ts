import type { NodeIdentity, Sourced } from "../allocate";
import { HOSTNAME, isIPv4 } from "../../config/fields";
import { contains, rangeOf, toNumber } from "../network";
import type { Problem } from "../../config/problems";
import type { Draft } from "../../config/schema";
import { VMIDS } from "../../config/sections/nodeKeys";

/** Hostnames, VMIDs, addresses and MAC addresses: present, in range, and unique. */
export function checkIdentities(draft: Draft, nodes: readonly NodeIdentity[]): Problem[] {
  // The guests that keep disks have VMIDs too.
  const guests = [
    ...nodes,
    ...nodes.flatMap(({ disksVmId, ...node }) => (disksVmId ? [{ ...node, vmId: disksVmId }] : [])),
  ];
  return firstOfEach([
    ...nodes.flatMap((node) => [...missing(draft, node, "VMID"), ...missing(draft, node, "address")]),
    ...nodes.flatMap(checkHostname),
    ...guests.flatMap(checkVmId),
    ...nodes.flatMap((node) => checkAddress(draft, node)),
    ...duplicates("hostname", nodes, (node) => node.hostname),
    ...duplicates("VMID", guests, (node) => node.vmId),
    ...duplicates("address", nodes, (node) => node.address),
    ...duplicates("MAC address", nodes, (node) => node.mac),
  ]);
}

function missing(draft: Draft, node: NodeIdentity, what: "VMID" | "address"): Problem[] {
  const given = what === "VMID" ? node.vmId : node.address;
  if (given.value !== undefined) return [];
  const [series, key, example] =
    what === "VMID" ? (["vmIds", "vmId", "102"] as const) : (["addresses", "address", "192.168.2.21"] as const);
  const own = `set cluster.pools.${node.pool}.nodes.${node.index}.${key}`;
  if (draft.pools[node.pool]?.[series] === undefined) {
    return [
      {
        path: at(given),
        problem: `is missing, so ${node.hostname.value} has no ${what}`,
        hint: `for example { from: ${example} }; or ${own}`,
      },
    ];
  }
  const problem = `gives no ${what} for ${node.hostname.value}, which has index ${node.index}`;
  return [
    {
      path: at(given),
      problem,
      hint: `entry n of the list is for index n, retired ones included: add entries up to ${node.index}, lower count, or ${own}`,
    },
  ];
}

function checkHostname({ hostname }: NodeIdentity): Problem[] {
  if (HOSTNAME.test(hostname.value)) return [];
  return [
    {
      path: at(hostname),
      problem: `gives "${hostname.value}", which is not an RFC 1123 label`,
      hint: "at most 63 lowercase letters, digits and inner hyphens",
    },
  ];
}

function checkVmId({ hostname, vmId }: NodeIdentity): Problem[] {
  if (vmId.value === undefined || (vmId.value >= VMIDS.least && vmId.value <= VMIDS.most)) return [];
  return [
    {
      path: at(vmId),
      problem: `gives ${hostname.value} the VMID ${vmId.value}, which is not from ${VMIDS.least} to ${VMIDS.most}`,
      hint: "the range of Proxmox VE",
    },
  ];
}

function checkAddress({ network, proxmox }: Draft, { hostname, address }: NodeIdentity): Problem[] {
  const { value } = address;
  if (!network || value === undefined) return [];
  const refuse = (why: string, hint: string): Problem[] => [
    { path: at(address), problem: `gives ${hostname.value} the address ${value}, ${why}`, hint },
  ];
  const range = rangeOf(network.cidr);
  if (!contains(range, value))
    return refuse(`which is outside ${network.cidr}`, "cluster.network.cidr is the network of all nodes");
  if (toNumber(value) === range.first) return refuse(`the network address of ${network.cidr}`, "no host may have it");
  if (toNumber(value) === range.last) return refuse(`the broadcast address of ${network.cidr}`, "no host may have it");
  if (value === network.gateway) return refuse("which is the gateway's", "cluster.network.gateway");
  if (isIPv4(proxmox?.host) && value === proxmox.host)
    return refuse("which is the Proxmox host's", "cluster.proxmox.host");
  return [];
}

/** Problems for values that two nodes would share; each names both nodes. */
function duplicates<T>(
  what: string,
  nodes: readonly NodeIdentity[],
  valueOf: (node: NodeIdentity) => Sourced<T | undefined> | undefined,
): Problem[] {
  const owners = new Map<T, { node: NodeIdentity; path: string }>();
  return nodes.flatMap((node) => {
    const given = valueOf(node);
    if (given?.value === undefined) return [];
    const owner = owners.get(given.value);
    if (!owner) {
      owners.set(given.value, { node, path: at(given) });
      return [];
    }
    const [one, other] = [node, owner.node].map(({ pool, index, hostname }) =>
      what === "hostname" ? `index ${index} of ${pool}` : hostname.value,
    );
    const problem = `gives ${one} the ${what} ${String(given.value)}, which ${other} already has from ${owner.path}`;
    return [
      { path: at(given), problem, hint: `each node needs ${what === "address" ? "an" : "a"} ${what} of its own` },
    ];
  });
}

const at = ({ path }: Sourced<unknown>): string => `cluster.${path}`;

/** A wrong series would give one problem per node. The first of them is enough. */
function firstOfEach(problems: readonly Problem[]): Problem[] {
  const kindOf = ({ path, hint }: Problem) => `${path} ${hint?.replace(/\d+/g, "")}`;
  return problems.filter(
    (problem, position) => problems.findIndex((other) => kindOf(other) === kindOf(problem)) === position,
  );
}
