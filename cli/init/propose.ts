import { isIPv4 } from "node:net";
import * as semver from "semver";

import { judgeCertificate, type HostFacts } from "./facts";
import { addressesFrom, type Blocks, freeAddresses, freeVmIds, networkOf } from "./free";
import { type InitProblem, Problems } from "./problem";
import {
  chooseDiskStorage,
  chooseTemplate,
  chooseVmSource,
  type TemplateChoice,
  type VmSourceChoice,
} from "./storages";

export const KINDS = ["lxc", "vm", "mixed"] as const;
/** Containers, virtual machines, or the servers in containers and the workers in virtual machines. */
export type Kind = (typeof KINDS)[number];

/** Values that only the user knows. */
export interface Wishes {
  /** The cluster's name, which is also the stack's. */
  readonly name: string;
  readonly kind: Kind;
  readonly servers: number;
  readonly workers: number;
  /** First address and first VMID; by default free ones. */
  readonly address?: string;
  readonly vmId?: number;
  /** The choice if the host has several, or if none is visible. */
  readonly bridge?: string;
  readonly gateway?: string;
  readonly nameserver?: string;
  readonly storage?: string;
  readonly template?: string;
  readonly image?: string;
  readonly sha256?: string;
}

export interface ProposedPool {
  readonly role: "server" | "agent";
  readonly kind: "lxc" | "vm";
  readonly count: number;
  readonly vmId: number;
  readonly address: string;
  readonly storage: string;
}

/** Everything that `init` would create. */
export interface Proposal {
  readonly name: string;
  readonly node: string;
  readonly host: string;
  readonly sshPort: number;
  readonly hostKey: string;
  readonly architecture: string;
  /** Set if the API's certificate does not have the name or address of `host`. */
  readonly endpoint?: string;
  /** PEM of the CA for `proxmox.caFile`; absent if the machine's own CAs are enough. */
  readonly ca?: string;
  readonly network: { readonly cidr: string; readonly gateway: string; readonly bridge: string };
  readonly nameservers: readonly string[];
  readonly pools: { readonly control: ProposedPool; readonly worker: ProposedPool };
  /** The template of containers. */
  readonly template?: TemplateChoice;
  /** The source of virtual machines. */
  readonly source?: VmSourceChoice;
}

/** The oldest Proxmox VE that the program runs with (`scripts/host/preflight-host.sh`). */
const LEAST_PVE = "8.4.0";

/**
 * Makes a proposal from the host's facts and the user's wishes. Pure.
 * @param at the address where the host was reached
 * @throws InitError with all problems
 */
export function propose(facts: HostFacts, wanted: Wishes, at: { address: string; port: number }): Proposal {
  const problems = new Problems();
  checkHost(facts, problems);
  const wishes = checkWishes(wanted, problems);
  const network = chooseNetwork(facts, wishes, problems);
  const nameservers = chooseNameservers(facts, wishes, network.gateway);
  const kinds = { server: wishes.kind === "vm" ? "vm" : "lxc", agent: wishes.kind === "lxc" ? "lxc" : "vm" } as const;
  const ofKind = (kind: "lxc" | "vm"): boolean => Object.values(kinds).includes(kind);
  const storageOf = {
    lxc: ofKind("lxc") ? chooseDiskStorage(facts, "lxc", wishes, problems) : "",
    vm: ofKind("vm") ? chooseDiskStorage(facts, "vm", wishes, problems) : "",
  };
  const template = ofKind("lxc") ? chooseTemplate(facts, wishes, problems) : undefined;
  const source = ofKind("vm") ? chooseVmSource(facts, wishes, problems) : undefined;
  const vmIds = chooseVmIds(facts, wishes, problems);
  const taken = new Set([...facts.usedAddresses, ...facts.answering, network.gateway, ...nameservers]);
  const addresses = chooseAddresses(network.cidr, taken, wishes, problems);
  problems.check();
  const pool = (role: "server" | "agent", count: number, block: "servers" | "workers"): ProposedPool => ({
    ...{ role, kind: kinds[role], count, storage: storageOf[kinds[role]] },
    ...{ vmId: vmIds[block], address: addresses[block] },
  });
  const { ca, otherName } = judgeCertificate(facts, at.address);
  return {
    ...{ name: wishes.name, node: facts.node, host: at.address, sshPort: at.port },
    ...{ hostKey: facts.hostKey, architecture: facts.architecture },
    ...(otherName !== undefined && { endpoint: `https://${otherName}:8006/` }),
    ...(ca !== undefined && { ca }),
    ...{ network, nameservers },
    pools: { control: pool("server", wishes.servers, "servers"), worker: pool("agent", wishes.workers, "workers") },
    ...(template && { template }),
    ...(source && { source }),
  };
}

/** The addresses of all nodes. Before they are proposed, `init` checks whether one of them answers. */
export const candidatesOf = ({ pools: { control, worker } }: Proposal): string[] => [
  ...addressesFrom(control.address, control.count),
  ...addressesFrom(worker.address, worker.count),
];

/** The problem with a number of servers or workers. */
export const COUNT_PROBLEM = {
  servers: (count: number): InitProblem | undefined =>
    [1, 3, 5].includes(count)
      ? undefined
      : { cause: "there must be 1, 3 or 5 servers", next: "choose one of these with --servers" },
  workers: (count: number): InitProblem | undefined =>
    Number.isInteger(count) && count >= 0 && count <= 200
      ? undefined
      : { cause: "the number of workers must be from 0 to 200", next: "choose another with --workers" },
};

/** Reports wishes that are impossible. @returns the wishes without them, so that the other problems are found too */
function checkWishes(wanted: Wishes, problems: Problems): Wishes {
  const { address, gateway, nameserver, vmId, ...rest } = wanted;
  const servers = COUNT_PROBLEM.servers(wanted.servers);
  if (servers) problems.add(servers.cause, servers.next, undefined);
  const workers = COUNT_PROBLEM.workers(wanted.workers);
  if (workers) problems.add(workers.cause, workers.next, undefined);
  const isVmId = vmId === undefined || (vmId >= 100 && vmId <= 999_999_000);
  if (!isVmId) problems.add(`${vmId} is not a VMID`, "choose one from 100 to 999999000 with --vmid", undefined);
  const given = Object.entries({ address, gateway, nameserver }).filter(([, value]) => value !== undefined);
  for (const [key, value] of given)
    if (!isIPv4(value!))
      problems.add(`"${value}" is not an IPv4 address`, `write --${key} like 192.168.2.20`, undefined);
  return {
    ...rest,
    ...(isVmId && vmId !== undefined && { vmId }),
    ...Object.fromEntries(given.filter(([, value]) => isIPv4(value!))),
    servers: servers ? 1 : wanted.servers,
    workers: workers ? 0 : wanted.workers,
  };
}

/** Requirements for every host, whatever is created there. */
export function checkHost(facts: HostFacts, problems: Problems): void {
  const version = semver.coerce(facts.version);
  if (!version || semver.lt(version, LEAST_PVE))
    problems.add(
      `Proxmox VE ${facts.version || "of an unknown version"} is too old: the program needs 8.4 or newer`,
      "on the host: apt update && apt full-upgrade, or https://pve.proxmox.com/wiki/Upgrade_from_8_to_9",
      undefined,
    );
  if (!facts.nodes.includes(facts.node))
    problems.add(
      `the host's name is ${facts.node}, but Proxmox VE lists ${facts.nodes.join(", ") || "no node"}`,
      "on the host: check that /etc/hostname is the node's name, and that pvecm status or systemctl status pve-cluster shows no error",
      undefined,
    );
  if (!/^(ssh-ed25519|ecdsa-sha2-nistp\d+) \S+$/.test(facts.hostKey))
    problems.add("the host has no ed25519 or ECDSA host key", "on the host: ssh-keygen -A", undefined);
  if (facts.gate === "foreign")
    problems.add(
      "/usr/local/sbin/proxmox-k3s-gate on the host is not a gate of this program",
      "check on the host what it is, and move it away",
      undefined,
    );
}

function chooseNetwork({ bridges }: HostFacts, wishes: Wishes, problems: Problems): Proposal["network"] {
  const nothing = { cidr: "192.168.0.0/24", gateway: "192.168.0.1", bridge: "" };
  const withNetwork = bridges.filter(({ cidr }) => cidr !== undefined);
  const names = (of: readonly { name: string }[]): string => of.map(({ name }) => name).join(", ");
  if (wishes.bridge !== undefined && !withNetwork.some(({ name }) => name === wishes.bridge))
    return problems.add(
      `the host has no address on a bridge ${wishes.bridge}`,
      withNetwork.length > 0 ? `name one of these with --bridge: ${names(withNetwork)}` : NO_BRIDGE,
      nothing,
    );
  const routed = withNetwork.filter(({ gateway }) => gateway !== undefined);
  const eligible = wishes.bridge !== undefined ? withNetwork.filter(({ name }) => name === wishes.bridge) : routed;
  const usable = eligible.length > 0 ? eligible : withNetwork;
  const [chosen] = usable;
  if (!chosen) return problems.add("the host has no bridge with a network", NO_BRIDGE, nothing);
  if (usable.length > 1)
    return problems.add(
      `the host has several bridges with a network: ${names(usable)}`,
      "choose one with --bridge",
      nothing,
    );
  const gateway = wishes.gateway ?? chosen.gateway;
  if (gateway === undefined)
    return problems.add(
      `the host has no gateway on ${chosen.name} (${chosen.cidr})`,
      "name the nodes' gateway with --gateway, for example your router",
      nothing,
    );
  return { cidr: networkOf(chosen.cidr!), gateway, bridge: chosen.name };
}

const NO_BRIDGE = "create one in the web interface (the node, System, Network), with the host's address on it";

/** Nodes cannot use a resolver that listens on the host's own loopback. */
function chooseNameservers({ nameservers }: HostFacts, { nameserver }: Wishes, gateway: string): string[] {
  if (nameserver !== undefined) return [nameserver];
  const usable = nameservers.filter((address) => !address.startsWith("127.")).slice(0, 3);
  return usable.length > 0 ? usable : [gateway];
}

function chooseVmIds({ usedVmIds }: HostFacts, wishes: Wishes, problems: Problems): Blocks<number> {
  const found = freeVmIds(usedVmIds, wishes, wishes.vmId);
  if (found) return found;
  const cause =
    wishes.vmId === undefined
      ? "no range of VMIDs from 200 on is free"
      : `not all VMIDs from ${wishes.vmId} on (servers), or from ${wishes.vmId + 10} on (workers), are free`;
  return problems.add(cause, "name another first VMID with --vmid", { servers: 0, workers: 0 });
}

function chooseAddresses(cidr: string, taken: ReadonlySet<string>, wishes: Wishes, problems: Problems): Blocks<string> {
  const found = freeAddresses(cidr, taken, wishes, wishes.address);
  if (found) return found;
  const wanted = wishes.servers + wishes.workers;
  const cause =
    wishes.address === undefined
      ? `${cidr} has no ${wanted} free addresses in a row`
      : `not all of the ${wanted} addresses from ${wishes.address} on are free in ${cidr}`;
  const next = "name the first of a free range with --address, or take fewer nodes";
  return problems.add(cause, next, { servers: "", workers: "" });
}
