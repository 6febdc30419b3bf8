import semver from "semver";

import type { Problem } from "../config/problems";
import { type ClusterPlan, type DiskPlan, isNixos, type K3sConfigValue, type NodePlan, type VmNodePlan } from "./model";
import { type ClusterRecord, isEtcdRecord, isServerRecord, type NodeRecord, recordOf } from "./record";
import type { NodeChange } from "./transitions";

/**
 * Changes that an existing cluster does not support, all at once, each with an alternative that works. Pure.
 * @param former what the stack's state records
 * @param changes what the plan does to each node
 */
export function refusals(former: ClusterRecord, plan: ClusterPlan, changes: readonly NodeChange[]): Problem[] {
  if (former.nodes.length === 0) return [];
  return [
    ...checkName(former, plan),
    ...checkNetworks(former, plan),
    ...checkArchitecture(former, plan),
    ...checkDatastore(former, plan),
    ...checkVersion(former, plan),
    ...checkPlaces(former, plan),
    ...checkNodes(former, plan),
    ...checkFurtherDisks(former, plan),
    ...checkTaken(former, plan, changes),
    ...checkOnlyServer(former, plan, changes),
  ];
}

/** A new name means a new cluster, which would not recognize the existing guests as its own. */
function checkName({ clusters, nodes }: ClusterRecord, { name }: ClusterPlan): Problem[] {
  if (clusters.length === 0 || clusters.includes(name)) return [];
  return [
    {
      path: "cluster.name",
      problem: `cannot become ${name}: the cluster ${clusters.join(", ")} exists with ${listOf(nodes)}, and a new name means a new cluster`,
      hint: `set it back to ${clusters[0]}; for a second cluster, create another stack with pulumi stack init`,
    },
  ];
}

/** Values that K3s cannot change in an existing cluster. */
const FIXED = [
  { path: "cluster.network.podCidr", option: "cluster-cidr", what: "the pods' network" },
  { path: "cluster.network.serviceCidr", option: "service-cidr", what: "the services' network" },
  { path: "cluster.k3s.serverConfig.cluster-dns", option: "cluster-dns", what: "the address of cluster DNS" },
  { path: "cluster.k3s.serverConfig.cluster-domain", option: "cluster-domain", what: "the cluster's domain" },
] as const;

function checkNetworks({ nodes }: ClusterRecord, plan: ClusterPlan): Problem[] {
  const server = nodes.find(isServerRecord);
  const [wanted] = plan.servers.map((node) => recordOf(node, plan));
  if (!server || !wanted) return [];
  return FIXED.flatMap(({ path, option, what }) => {
    const [was, is] = [server, wanted].map((node) => textOf(node.k3s?.options[option]));
    if (was === is) return [];
    const back = was === "" ? "remove it" : `set it back to ${was}`;
    const problem = `cannot become ${is === "" ? "K3s' default" : is}: K3s cannot change ${what} of an existing cluster`;
    return [{ path, problem, hint: `${back}; another value needs a new cluster` }];
  });
}

function checkArchitecture({ nodes }: ClusterRecord, { arch, nodes: planned }: ClusterPlan): Problem[] {
  const other = nodes.filter(({ name, k3s }) => k3s && k3s.arch !== arch && planned.some((node) => node.name === name));
  if (other.length === 0) return [];
  const was = other[0]?.k3s?.arch ?? "";
  return [
    {
      path: "cluster.proxmox.architecture",
      problem: `cannot become ${arch}: ${listOf(other)} ${other.length === 1 ? "runs" : "run"} K3s for ${was}`,
      hint: `set it back to ${was}`,
    },
  ];
}

function checkDatastore({ nodes }: ClusterRecord, { k3s, servers }: ClusterPlan): Problem[] {
  const stays = nodes.filter((node) => isEtcdRecord(node) && servers.some(({ name }) => name === node.name));
  if (k3s.datastore === "etcd" || stays.length === 0) return [];
  return [
    {
      path: "cluster.k3s.datastore",
      problem: `cannot go back to sqlite: ${listOf(stays)} ${stays.length === 1 ? "keeps" : "keep"} the cluster's objects in etcd`,
      hint: "set cluster.k3s.datastore: etcd; one server works with it too",
    },
  ];
}

/** Kubernetes upgrades one minor release at a time, and no minor release can read data of a later one. */
function checkVersion({ nodes }: ClusterRecord, { version }: ClusterPlan): Problem[] {
  const versions = nodes.flatMap((node) => (isServerRecord(node) && node.k3s ? [node.k3s.version] : []));
  if (versions.length === 0) return [];
  const sorted = [...versions].sort((a, b) => semver.compare(a, b));
  const [lowest, highest] = [sorted[0]!, sorted.at(-1)!];
  const path = "cluster.version";
  if (minorOf(version) < minorOf(highest)) {
    const problem = `cannot go down to ${version}: a server has run ${highest}, and Kubernetes cannot go back to an older minor release`;
    return [{ path, problem, hint: `set it to ${highest} or a later release of the same minor` }];
  }
  if (minorOf(version) > minorOf(lowest) + 1) {
    const next = `1.${minorOf(lowest) + 1}`;
    const problem = `cannot become ${version}: the servers run ${lowest}, and Kubernetes upgrades one minor release at a time`;
    return [{ path, problem, hint: `upgrade to a release of ${next} first` }];
  }
  return [];
}

const minorOf = (version: string): number => semver.minor(version);

/** This program does not move guests to another Proxmox VE node. */
function checkPlaces({ nodes }: ClusterRecord, plan: ClusterPlan): Problem[] {
  const wanted = new Map(plan.nodes.map((node) => [node.name, node]));
  const elsewhere = nodes.filter((node) => {
    const place = wanted.get(node.name)?.proxmoxNode;
    return place !== undefined && place !== node.proxmoxNode;
  });
  const places = [...new Set(elsewhere.map(({ proxmoxNode }) => proxmoxNode))];
  return places.map((place) => {
    const there = elsewhere.filter(({ proxmoxNode }) => proxmoxNode === place);
    return {
      path: "cluster.proxmox.node",
      problem: `cannot move ${listOf(there)}, which ${there.length === 1 ? "runs" : "run"} on the Proxmox VE node ${place}`,
      hint: `set it back to ${place}; or remove these nodes and add new ones elsewhere`,
    };
  });
}

/** Changes that a node with the same VMID does not support. */
function checkNodes({ nodes }: ClusterRecord, plan: ClusterPlan): Problem[] {
  const wanted = new Map(plan.nodes.map((node) => [node.name, node]));
  return nodes.flatMap((former) => {
    const node = wanted.get(former.name);
    if (node === undefined || node.vmId !== former.vmId) return [];
    return [
      ...checkDisk(former, node),
      ...checkRole(former, node),
      ...checkKind(former, node),
      ...checkSystem(former, node),
    ];
  });
}

const poolPath = ({ pool }: NodePlan, key: string): string => `cluster.pools.${pool}.${key}`;

function checkDisk({ diskGiB }: NodeRecord, node: NodePlan): Problem[] {
  if (node.diskGiB >= diskGiB) return [];
  return [
    {
      path: poolPath(node, "disk"),
      problem: `cannot shrink the disk of ${node.name} from ${diskGiB}GB to ${node.diskGiB}GB`,
      hint: `set ${diskGiB}GB; for a smaller disk, retire the node and add another`,
    },
  ];
}

/** Disks that outlive their machine: a mistake in the config must not lose their data, and a mounted disk cannot be removed. */
function checkFurtherDisks({ nodes }: ClusterRecord, plan: ClusterPlan): Problem[] {
  const wanted = new Map(plan.nodes.map((node) => [node.name, node]));
  return nodes.flatMap((former) => {
    const node = wanted.get(former.name);
    if (node?.kind !== "vm" || former.kind !== "vm" || former.disks === undefined) return [];
    const keeper = former.disksVmId;
    const moved: Problem[] =
      node.disksVmId === undefined || node.disksVmId === keeper
        ? []
        : [
            {
              path: poolPath(node, "disksVmIds"),
              problem: `cannot give the disks of ${node.name} to guest ${node.disksVmId}: guest ${keeper} keeps them`,
              hint: `set it back to ${keeper}`,
            },
          ];
    return [...moved, ...former.disks.flatMap((disk) => checkFurtherDisk(disk, node))];
  });
}

function checkFurtherDisk({ serial, sizeGiB }: DiskPlan, node: VmNodePlan): Problem[] {
  const is = node.disks.find((disk) => disk.serial === serial);
  const refuse = (problem: string, hint: string): Problem[] => [{ path: poolPath(node, "disks"), problem, hint }];
  if (is === undefined)
    return refuse(
      `cannot take the disk ${serial} off ${node.name}, which may be using it`,
      "put it back; to get rid of it, retire the node and add another",
    );
  if (is.sizeGiB < sizeGiB)
    return refuse(
      `cannot shrink the disk ${serial} of ${node.name} from ${sizeGiB}GB to ${is.sizeGiB}GB`,
      `set ${sizeGiB}GB; for a smaller one, add another disk`,
    );
  return [];
}

function checkRole({ k3s }: NodeRecord, node: NodePlan): Problem[] {
  if (k3s === undefined || k3s.role === node.role) return [];
  return [
    {
      path: poolPath(node, "role"),
      problem: `cannot make ${node.name} a K3s ${node.role}: it is a K3s ${k3s.role} on VMID ${node.vmId}`,
      hint: `set it back to ${k3s.role}; for another role, retire the node and add one with a new name and VMID`,
    },
  ];
}

function checkKind({ kind }: { readonly kind: string }, node: NodePlan): Problem[] {
  if (kind === node.kind) return [];
  return [
    {
      path: poolPath(node, "kind"),
      problem: `cannot turn ${node.name} from ${kind} into ${node.kind}: VMID ${node.vmId} belongs to the existing guest`,
      hint: `set it back to ${kind}; for another kind, retire the node and add one with a new name and VMID`,
    },
  ];
}

function checkSystem({ kind, os, k3s }: NodeRecord, node: NodePlan): Problem[] {
  const wanted = isNixos(node) ? node.os : undefined;
  if (kind !== node.kind || k3s === undefined || os === wanted) return [];
  return [
    {
      path: poolPath(node, "os"),
      problem: `cannot ${wanted === undefined ? "take NixOS off" : "put NixOS on"} ${node.name}: its machine exists with another system`,
      hint: `${os === undefined ? "remove it" : `set it back to ${os}`}; for another system, retire the node and add one with a new name and VMID`,
    },
  ];
}

/**
 * A VMID or an address that another node uses until this `up` ends. Nodes are created and changed before others are removed, so
 * two nodes would use it at the same time.
 */
function checkTaken({ nodes }: ClusterRecord, plan: ClusterPlan, changes: readonly NodeChange[]): Problem[] {
  const formerOf = new Map(nodes.map((node) => [node.name, node]));
  const leaving = new Set(changes.filter(({ effect }) => effect === "leave").map(({ node }) => node));
  return plan.nodes.flatMap((node) => {
    const former = formerOf.get(node.name);
    const holder = (holds: (other: NodeRecord) => boolean) =>
      nodes.find((other) => other.name !== node.name && holds(other));
    const vmId = former?.vmId === node.vmId ? undefined : holder((other) => other.vmId === node.vmId);
    const address = former?.address === node.address ? undefined : holder((other) => other.address === node.address);
    const until = (other: NodeRecord): string =>
      leaving.has(other.name)
        ? `${other.name} leaves later in the same up, after ${node.name} is created`
        : `${other.name} has it until this up ends`;
    return [
      ...(vmId === undefined
        ? []
        : [
            {
              path: poolPath(node, "vmIds"),
              problem: `gives VMID ${node.vmId} to ${node.name}, but ${until(vmId)}`,
              hint: "set a free VMID; a renamed node is a new node, so it needs its own VMID and address",
            },
          ]),
      ...(address === undefined
        ? []
        : [
            {
              path: poolPath(node, "addresses"),
              problem: `gives ${node.address} to ${node.name}, but ${until(address)}`,
              hint: "set a free address; or first remove the other node with pulumi up, then add this one",
            },
          ]),
    ];
  });
}

/**
 * Whether the last server is removed. All objects of the cluster are then lost, unless etcd has copied them to another server
 * before.
 */
export function losesObjects({ nodes }: ClusterRecord, plan: ClusterPlan, changes: readonly NodeChange[]): boolean {
  const servers = nodes.filter(isServerRecord);
  const effects = new Map(changes.map(({ node, effect }) => [node, effect]));
  const goes = ({ name }: NodeRecord): boolean => ["leave", "rebuild"].includes(effects.get(name) ?? "");
  if (servers.length === 0 || !servers.every(goes)) return false;
  const joins = plan.servers.some(({ name }) => effects.get(name) === "join");
  // Several servers are rebuilt one at a time, and new ones join before old ones leave.
  return !(servers.every(isEtcdRecord) && (joins || servers.length > 1));
}

function checkOnlyServer(former: ClusterRecord, plan: ClusterPlan, changes: readonly NodeChange[]): Problem[] {
  if (plan.removal.allowControlPlaneLoss || !losesObjects(former, plan, changes)) return [];
  const servers = former.nodes.filter(isServerRecord);
  const inEtcd = servers.every(isEtcdRecord);
  const leaves = changes.some(({ node, effect }) => node === servers[0]?.name && effect === "leave");
  const effect = leaves ? "leaves" : "is rebuilt";
  const pool = plan.servers[0]?.pool ?? "";
  return [
    {
      path: `cluster.pools.${pool}`,
      problem: `cannot be changed like this: the only server ${listOf(servers)} ${effect}, and all objects of the cluster are lost with it`,
      hint: inEtcd
        ? "take the change back; or add a server first; or set cluster.removal.allowControlPlaneLoss: true"
        : "take the change back; or set cluster.k3s.datastore: etcd and add servers first; or set cluster.removal.allowControlPlaneLoss: true",
    },
  ];
}

const listOf = (nodes: readonly { readonly name: string }[]): string => nodes.map(({ name }) => name).join(", ");
const textOf = (value: K3sConfigValue | undefined): string =>
  value === undefined ? "" : typeof value === "object" ? value.join(", ") : String(value);
