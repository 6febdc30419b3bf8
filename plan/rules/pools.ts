import type { Problem } from "../../config/problems";
import type { Draft, LxcPoolSettings, PoolSettings, ProxmoxSettings, VmPoolSettings } from "../../config/schema";
import { osTypeOf } from "../../config/template";
import { allocatePool } from "../allocate";
import type { NodeRole } from "../model";
import { checkDisks } from "./disks";
import { checkLabels } from "./labels";
import { checkStorageLabels, checkStoragePackages } from "./storageLabels";
import { checkTaints } from "./taints";

/** Useful sizes of etcd: an even number of members tolerates no more failures than the odd number below it. */
const SERVER_COUNTS: readonly number[] = [1, 3, 5];

/** What each pool needs, and how many servers there are in all. */
export function checkPools(draft: Draft): Problem[] {
  const pools = Object.entries(draft.pools);
  return [
    ...checkServerCount(draft),
    ...pools.flatMap(([name, pool]) => checkPool(draft, `cluster.pools.${name}`, pool)),
  ];
}

/** How many servers the pools have in all. */
export const serverCount = (pools: Draft["pools"]): number => nodeCount(pools, "server");

/** How many nodes of a role the pools have in all. */
export function nodeCount(pools: Draft["pools"], of: NodeRole): number {
  return Object.values(pools).reduce((sum, { role, count }) => sum + (role === of ? count : 0), 0);
}

function checkServerCount({ pools, allPools }: Draft): Problem[] {
  if (!allPools) return [];
  const servers = Object.entries(pools).filter(([, { role }]) => role === "server");
  const count = serverCount(pools);
  if (SERVER_COUNTS.includes(count)) return [];
  const path = servers.length === 1 ? `cluster.pools.${servers[0]?.[0]}.count` : "cluster.pools";
  const problem = `must give 1, 3 or 5 servers in all, not ${count}`;
  const hint =
    count === 0
      ? "a cluster needs a pool with role: server"
      : count % 2 === 0
        ? "an even number of servers tolerates no more failures than one less"
        : "more servers make etcd slower, not safer";
  return [{ path, problem, hint }];
}

function checkPool({ proxmox }: Draft, path: string, pool: PoolSettings): Problem[] {
  const labelled = [
    { at: `${path}.labels`, labels: pool.labels },
    ...Object.entries(pool.nodes).map(([index, { labels }]) => ({ at: `${path}.nodes.${index}.labels`, labels })),
  ];
  return [
    ...(pool.kind === "vm" ? [...checkVmSource(path, pool), ...checkVmTemplate(path, pool)] : []),
    ...checkDisks(path, pool),
    ...(proxmox ? [...checkPlace(proxmox, path, pool), ...checkSource(proxmox, path, pool)] : []),
    ...repeated(pool.retired).map((index) => ({ path: `${path}.retired`, problem: `names the index ${index} twice` })),
    ...labelled.flatMap(({ at, labels }) => checkLabels(at, labels)),
    ...(pool.kind === "lxc" ? labelled.flatMap(({ at, labels }) => checkStorageLabels(at, labels)) : []),
    ...(pool.kind === "lxc" ? checkStoragePackages(`${path}.packages`, pool.packages) : []),
    ...checkTaints(`${path}.taints`, pool.taints),
  ];
}

/** The root disk comes from a template or from an image, and an image from a URL or from a volume. */
function checkVmSource(path: string, { template, clone, image }: VmPoolSettings): Problem[] {
  if (image === undefined) {
    if (template !== undefined) return [];
    const hint = "set the VMID of a template here; or, without a template, set image: { url: …, sha256: … }";
    return [{ path: `${path}.template`, problem: "is missing", hint }];
  }
  const { url, sha256, storage, volume } = image;
  const beside = (key: string, value: unknown, problem: string, hint: string): Problem[] =>
    value === undefined ? [] : [{ path: `${path}.${key}`, problem, hint }];
  const ofUrl = (key: string, value: unknown): Problem[] =>
    beside(key, value, "is for image.url, but the pool has image.volume", "remove it");
  return [
    ...beside(
      "image",
      template,
      "cannot be set together with template: a disk has one source",
      "remove one of the two",
    ),
    ...beside("clone", clone, "is for a template, but the pool has an image", "remove it"),
    ...(volume === undefined && url === undefined
      ? [{ path: `${path}.image`, problem: "has neither url nor volume", hint: "set one of the two" }]
      : []),
    ...(volume !== undefined && url !== undefined
      ? [{ path: `${path}.image`, problem: "has url and volume", hint: "remove one of the two" }]
      : []),
    ...(url !== undefined && sha256 === undefined
      ? [
          {
            path: `${path}.image.sha256`,
            problem: "is missing",
            hint: "the vendor publishes it, or sha256sum FILE prints it",
          },
        ]
      : []),
    ...(url === undefined && volume !== undefined
      ? [...ofUrl("image.sha256", sha256), ...ofUrl("image.storage", storage)]
      : []),
  ];
}

/** If a node had the VMID of the template that it is cloned from, it would destroy the template. */
function checkVmTemplate(path: string, pool: VmPoolSettings): Problem[] {
  if (pool.template === undefined) return [];
  const own = allocatePool("cluster", "pool", pool).find(({ vmId }) => vmId.value === pool.template);
  if (own === undefined) return [];
  const problem = `is ${pool.template}, which is also the VMID of the pool's node with index ${own.index}`;
  return [{ path: `${path}.template`, problem, hint: "give the nodes other VMIDs: vmIds of the pool" }];
}

/** The program writes features and raw lines over SSH on the guest's host, and the config names only one host. */
function checkPlace(proxmox: ProxmoxSettings, path: string, pool: PoolSettings): Problem[] {
  const places = [
    { at: `${path}.proxmoxNode`, node: pool.proxmoxNode },
    ...Object.entries(pool.nodes).map(([index, own]) => ({
      at: `${path}.nodes.${index}.proxmoxNode`,
      node: own.proxmoxNode,
    })),
  ];
  return places
    .filter(({ node }) => node !== undefined && node !== proxmox.node)
    .map(({ at, node }) => ({
      path: at,
      problem: `must be ${proxmox.node}, not ${node}: guests on several Proxmox nodes are not supported yet`,
      hint: "the program reaches only one host over SSH: cluster.proxmox.host",
    }));
}

/** The storage and template of the machines. */
function checkSource(proxmox: ProxmoxSettings, path: string, pool: PoolSettings): Problem[] {
  const missing = (key: "storage" | "template", value: string | undefined): Problem[] =>
    value !== undefined
      ? []
      : [
          {
            path: `${path}.${key}`,
            problem: "is missing",
            hint: `set it here or, for all pools, as cluster.proxmox.${key}`,
          },
        ];
  const storage = missing("storage", pool.storage ?? proxmox.storage);
  if (pool.kind !== "lxc") return storage;
  const template = pool.template ?? proxmox.template;
  return [...storage, ...missing("template", template), ...checkOsType(proxmox, path, pool, template)];
}

function checkOsType(
  proxmox: ProxmoxSettings,
  path: string,
  pool: LxcPoolSettings,
  template: string | undefined,
): Problem[] {
  if (template === undefined) return [];
  const osType = pool.osType ?? proxmox.osType ?? osTypeOf(template);
  if (osType === undefined) {
    const problem = `is missing: the name of the template ${template} does not show it`;
    return [
      {
        path: `${path}.osType`,
        problem,
        hint: "Proxmox VE needs it to write the network settings and SSH keys; for example ubuntu",
      },
    ];
  }
  if (!WITHOUT_SYSTEMD.includes(osType) && !template.includes("openrc"))
    return checkArchitecture(proxmox, path, template);
  return [
    {
      path: `${path}.template`,
      problem: `must have systemd, but ${template} has none`,
      hint: "the program runs K3s as a systemd unit; use a Debian or Ubuntu template",
    },
  ];
}

/** Distributions whose templates use another init system. */
const WITHOUT_SYSTEMD: readonly string[] = ["alpine", "devuan"];

/** Templates are named `…_<version>_<architecture>.tar.zst`, by the architectures of Proxmox VE. */
function checkArchitecture({ architecture }: ProxmoxSettings, path: string, template: string): Problem[] {
  const [, named] = /_(amd64|arm64|i386|armhf|riscv32|riscv64)\.tar\./.exec(template) ?? [];
  if (named === undefined || named === architecture) return [];
  return [
    {
      path: `${path}.template`,
      problem: `must be for ${architecture}, not ${named}: ${template}`,
      hint: "cluster.proxmox.architecture is the processor of the Proxmox node",
    },
  ];
}

const repeated = (values: readonly number[]): number[] => [
  ...new Set(values.filter((value, at) => values.indexOf(value) !== at)),
];
