import { isDeepStrictEqual } from "node:util";

import { parse } from "yaml";

import { type ClusterPlan, isEtcdMember, type K3sConfigValue, type NodePlan, type StartupPlan } from "./model";
import { type ClusterRecord, isEtcdRecord, isServerRecord, type NodeRecord, recordOf } from "./record";
import type { K3sOptions } from "./render/k3sConfig";
import type { NodeEffect } from "./transitions";

/** A part of a node that an `up` changes. */
export interface Difference {
  /** The name that a person uses: "memory". */
  readonly words: string;
  readonly effect: Exclude<NodeEffect, "join" | "leave">;
  /** What changes, from what to what: "memory 8GB → 9GB". */
  readonly change: string;
}

interface Aspect extends Pick<Difference, "words"> {
  readonly of: (node: NodeRecord) => unknown;
  readonly effect: (wanted: NodeRecord) => Difference["effect"];
  /** The name to show, if another one than the aspect's is better. */
  readonly name?: string;
  readonly change: (former: NodeRecord, wanted: NodeRecord) => string;
}

/**
 * What the program and the Proxmox provider do when a setting changes. The storage, the template and the system's type are not in
 * the list: they apply only when a guest is created, so a later change has no effect.
 */
const ASPECTS: readonly Aspect[] = [
  { words: "VMID", of: ({ vmId }) => vmId, effect: () => "rebuild", change: each(({ vmId }) => `${vmId}`) },
  {
    words: "address",
    of: ({ address, prefix }) => [address, prefix],
    // etcd knows its members by their addresses, and a NixOS machine boots with the address in its module.
    effect: (wanted) => (isEtcdRecord(wanted) || wanted.os !== undefined ? "rebuild" : "reboot"),
    change: each(({ address, prefix }) => `${address}/${prefix}`),
  },
  {
    words: "gateway or DNS",
    of: ({ gateway, nameservers, searchDomain }) => [gateway, nameservers, searchDomain],
    effect: () => "reboot",
    change: each(({ gateway, nameservers, searchDomain }) =>
      [`gateway ${gateway}`, `DNS ${nameservers.join(" ") || "none"}`, searchDomain].filter(Boolean).join(", "),
    ),
  },
  {
    words: "network interface",
    of: ({ bridge, vlan }) => [bridge, vlan],
    // The interface of a virtual machine moves to another network while it runs.
    effect: ({ kind }) => (kind === "vm" ? "live" : "reboot"),
    change: each(({ bridge, vlan }) => (vlan === undefined ? bridge : `${bridge} with VLAN ${vlan}`)),
  },
  {
    words: "MAC address",
    of: ({ mac }) => mac,
    // cloud-init has tied a machine's address to it.
    effect: ({ kind }) => (kind === "vm" ? "rebuild" : "reboot"),
    change: each(({ mac }) => mac ?? "none"),
  },
  {
    words: "memory",
    of: ({ memoryMiB, swapMiB }) => [memoryMiB, swapMiB],
    effect: () => "reboot",
    change: (former, wanted) =>
      former.memoryMiB === wanted.memoryMiB
        ? `swap ${formatMiB(former.swapMiB)} → ${formatMiB(wanted.swapMiB)}`
        : `${formatMiB(former.memoryMiB)} → ${formatMiB(wanted.memoryMiB)}`,
  },
  {
    words: "version",
    of: ({ k3s }) => k3s?.version,
    effect: () => "k3sRestart",
    change: each(({ k3s }) => k3s?.version ?? "none"),
  },
  {
    words: "options, labels or taints",
    name: "",
    of: restartingOptions,
    effect: () => "k3sRestart",
    change: (former, wanted) => optionChanges(restartingOptions(former), restartingOptions(wanted)),
  },
  {
    words: "registries",
    name: "",
    of: ({ k3s }) => k3s?.registries ?? "",
    effect: () => "k3sRestart",
    change: (former, wanted) =>
      ["registries", registryChanges(former.k3s?.registries, wanted.k3s?.registries)].filter(Boolean).join(" "),
  },
  {
    // The module also has the name, the address and K3s' options. If these change, another line says so.
    words: "SSH keys, DNS or firewall",
    name: "",
    of: ({ moduleSum }) => moduleSum,
    effect: () => "systemTrial",
    change: () => "a new NixOS system",
  },
  {
    words: "cores",
    of: ({ cores }) => cores,
    effect: ({ kind }) => (kind === "vm" ? "reboot" : "live"),
    change: each(({ cores }) => `${cores}`),
  },
  {
    words: "CPU units",
    of: ({ cpuUnits }) => cpuUnits,
    effect: ({ kind }) => (kind === "vm" ? "reboot" : "live"),
    change: each(({ cpuUnits }) => (cpuUnits === undefined ? "unset" : `${cpuUnits}`)),
  },
  {
    words: "CPU type",
    of: ({ cpuType }) => cpuType,
    effect: () => "reboot",
    change: each(({ cpuType }) => cpuType ?? "none"),
  },
  { words: "disk", of: ({ diskGiB }) => diskGiB, effect: () => "live", change: each(({ diskGiB }) => `${diskGiB}GB`) },
  {
    words: "further disks",
    name: "further disk",
    of: ({ disks }) => sizes(disks),
    effect: () => "live",
    change: (former, wanted) => {
      const was = sizes(former.disks);
      return Object.entries(sizes(wanted.disks))
        .filter(([serial, size]) => was[serial] !== size)
        .map(([serial, size]) => `${serial} ${was[serial] === undefined ? "new" : `${was[serial]}GB`} → ${size}GB`)
        .join(", ");
    },
  },
  {
    words: "disks for Longhorn",
    of: ({ longhorn = [] }) => [...longhorn].sort(),
    effect: () => "live",
    change: ({ longhorn: was = [] }, { longhorn: is = [] }) => signs(was, is).join(" "),
  },
  {
    words: "packages",
    of: ({ packages = [] }) => packages,
    effect: () => "live",
    change: ({ packages: was = [] }, { packages: is = [] }) => signs(was, is).join(" "),
  },
  {
    words: "start with the host",
    of: ({ startOnBoot, startup }) => [startOnBoot, startup],
    effect: () => "live",
    change: each(({ startOnBoot, startup }) => [startOnBoot ? "yes" : "no", ...startupWords(startup)].join(", ")),
  },
];

/**
 * What an `up` changes of a node. If the config sets no MAC address, the guest's does not change. The same applies to its
 * position in the start order and its CPU units: somebody may have set them by hand.
 * @param cluster what the state records of all nodes
 */
export function differences(
  cluster: ClusterRecord,
  former: NodeRecord,
  node: NodePlan,
  plan: ClusterPlan,
): Difference[] {
  const kept = {
    ...(node.mac === undefined ? { mac: former.mac } : {}),
    ...(node.startup === undefined ? { startup: former.startup } : {}),
    ...(node.cpuUnits === undefined ? { cpuUnits: former.cpuUnits } : {}),
  };
  // A new machine always has other birth marks, so they are not shown as a change.
  const wanted = { ...recordOf(node, plan, { ...former, vmId: node.vmId }), ...kept };
  // If K3s was never installed, only its version is shown.
  const aspects = ASPECTS.filter(({ name }) => former.k3s !== undefined || name !== "");
  const own = aspects
    .filter(({ of }) => !isDeepStrictEqual(of(former), of(wanted)))
    .map(({ words, name = words, effect, change }) => ({
      words,
      effect: effect(wanted),
      change: `${name} ${change(former, wanted)}`.trimStart(),
    }));
  const server: Difference = { words: "server", effect: "k3sRestart", change: "another server to connect to" };
  return former.k3s?.role === "agent" && losesServer(cluster, plan) ? [...own, server] : own;
}

/** Agents know only one server. If it gets another address or starts a new cluster, K3s on the agents needs the new one. */
function losesServer({ nodes }: ClusterRecord, plan: ClusterPlan): boolean {
  const [only, ...others] = nodes.filter(isServerRecord);
  if (only === undefined || others.length > 0) return false;
  const stays = plan.servers.find(({ name }) => name === only.name);
  const isMoved = stays?.address !== only.address;
  const isKept = stays?.vmId === only.vmId && !(isMoved && isEtcdMember(stays, plan));
  const hasHeirs = isEtcdRecord(only) && plan.servers.some(({ name }) => name !== only.name);
  return isKept ? isMoved : !hasHeirs;
}

/** Size of each further disk in GiB, by its serial. */
const sizes = (disks: NodeRecord["disks"]): Readonly<Record<string, number>> =>
  Object.fromEntries((disks ?? []).map(({ serial, sizeGiB }) => [serial, sizeGiB]));

/** Memory in the form of the config: "512MB", "9GB". */
export const formatMiB = (mebibytes: number): string =>
  mebibytes % 1024 === 0 ? `${mebibytes / 1024}GB` : `${mebibytes}MB`;

function each(words: (node: NodeRecord) => string): Aspect["change"] {
  return (former, wanted) => `${words(former)} → ${words(wanted)}`;
}

function startupWords({ order, upDelaySeconds, downDelaySeconds }: StartupPlan = {}): string[] {
  return [
    ...(order === undefined ? [] : [`order ${order}`]),
    ...(upDelaySeconds === undefined ? [] : [`${upDelaySeconds} s before the next`]),
    ...(downDelaySeconds === undefined ? [] : [`${downDelaySeconds} s for its shutdown`]),
  ];
}

/** A running agent knows all servers. It keeps the server that it was given, even if the plan now has another first server. */
function restartingOptions({ k3s }: NodeRecord): K3sOptions {
  const { server: _, ...others } = k3s?.options ?? {};
  return k3s?.role === "server" ? k3s.options : others;
}

/** What was added and removed, by key of K3s' config file: "node-label +tier=1 −disk=ssd". */
function optionChanges(former: K3sOptions, wanted: K3sOptions): string {
  const keys = [...new Set([...Object.keys(former), ...Object.keys(wanted)])].sort();
  const changes = keys.flatMap((key) => {
    const found = signs(values(former[key]), values(wanted[key]));
    return found.length === 0 ? [] : [`${key} ${found.join(" ")}`];
  });
  return changes.length === 0 ? "order of options" : changes.join(", ");
}

/** The registries whose mirror or config changes: added ones with a plus, removed ones with a minus. */
function registryChanges(former = "", wanted = ""): string {
  const [was, is] = [former, wanted].map((text) => (parse(text) ?? {}) as Record<string, Record<string, unknown>>);
  const sections = ["mirrors", "configs"] as const;
  const names = [was, is].flatMap((file) => sections.flatMap((section) => Object.keys(file?.[section] ?? {})));
  const entry = (file: typeof was, name: string) => sections.map((section) => file?.[section]?.[name]);
  return [...new Set(names)]
    .sort()
    .filter((name) => !isDeepStrictEqual(entry(was, name), entry(is, name)))
    .map((name) => {
      const [before, after] = [was, is].map((file) => entry(file, name).some((each) => each !== undefined));
      return `${before ? (after ? "" : "−") : "+"}${name}`;
    })
    .join(" ");
}

const signs = (was: readonly string[], is: readonly string[]): string[] => [
  ...is.filter((value) => !was.includes(value)).map((value) => `+${value}`),
  ...was.filter((value) => !is.includes(value)).map((value) => `−${value}`),
];

const values = (value: K3sConfigValue | undefined): string[] =>
  value === undefined ? [] : typeof value === "object" ? value.map(String) : [String(value)];
