import type { AddonName, AddonSight } from "../../plan/addonsSight";
import type { ClusterPlan, NodePlan } from "../../plan/model";
import type { Finding } from "../doctor/finding";
import { checkAddons, presenceOf } from "./addons/check";
import { type Difference, seenOf } from "./difference";
import { checkCertificates, checkKubeconfig } from "./expiry";
import { checkGuests, checkState, checkStorages, type Place, placesOf } from "./machines";
import { checkCluster } from "./nodes";
import type { Sight } from "./sight";

/** `differs`: at least one difference. `unknown`: no difference was found, but not everything could be checked. */
export type Verdict = "as planned" | "differs" | "unknown";

/** A node in the table and in the picture: first the plan's nodes, then other Nodes in Kubernetes. */
export interface NodeStatus {
  readonly name: string;
  /** `leaving`: no longer in the plan, but in the state; `foreign`: in neither. */
  readonly role: NodePlan["role"] | "leaving" | "foreign";
  readonly vmId: number | undefined;
  readonly address: string | undefined;
  /** The Proxmox VE node of its guest; empty for a foreign node. */
  readonly proxmoxNode: string;
  /** `running`, `stopped`, `missing` … */
  readonly guest: string;
  /** `Ready`, `NotReady`, `Ready, cordoned`, `no Node` … */
  readonly kubernetes: string;
  readonly version: string;
  /** The worst finding about it. */
  readonly level: Finding["level"];
}

export interface Status {
  readonly cluster: string;
  readonly version: string;
  readonly at: Date;
  readonly verdict: Verdict;
  readonly nodes: readonly NodeStatus[];
  /** Which add-ons the cluster has. */
  readonly addons: Readonly<Record<AddonName, AddonSight<unknown>["is"]>>;
  readonly findings: readonly Difference[];
}

/** Compares the plan with what was seen. Pure. */
export function compare(plan: ClusterPlan, sight: Sight): Status {
  const places = placesOf(plan, sight);
  const findings = [
    ...checkState(plan, sight),
    ...checkGuests(plan, sight, places),
    ...checkCluster(plan, sight, places),
    ...checkCertificates(plan, sight),
    checkKubeconfig(sight),
    ...checkStorages(sight),
    ...checkAddons(plan, sight, places),
  ];
  const nodes = nodesOf(plan, sight, places).map((node) => ({ ...node, level: levelOf(node, findings) }));
  return {
    ...{ cluster: plan.name, version: plan.version, at: sight.at, verdict: verdictOf(findings) },
    ...{ nodes, addons: presenceOf(sight), findings },
  };
}

export function verdictOf(findings: readonly Finding[]): Verdict {
  const has = (...levels: Finding["level"][]): boolean => findings.some(({ level }) => levels.includes(level));
  if (has("fail", "warn")) return "differs";
  return has("skip") ? "unknown" : "as planned";
}

function levelOf({ name, guest, kubernetes }: Omit<NodeStatus, "level">, all: readonly Difference[]): Finding["level"] {
  const own = all.filter(({ node }) => node === name).map(({ level }) => level);
  const worst = (["fail", "warn"] as const).find((level) => own.includes(level));
  return worst ?? (guest === "unknown" || kubernetes === UNSEEN ? "skip" : "ok");
}

/** Shown for a Node that could not be checked. */
const UNSEEN = "not checked";

function nodesOf(plan: ClusterPlan, sight: Sight, places: ReadonlyMap<string, Place>): Omit<NodeStatus, "level">[] {
  const nodes = seenOf(sight.cluster)?.nodes;
  const wordsOf = (name: string) => {
    if (!nodes) return { kubernetes: UNSEEN, version: "" };
    const node = nodes.find((each) => each.name === name);
    if (!node) return { kubernetes: "no Node", version: "" };
    const ready = node.isReady ? "Ready" : "NotReady";
    return { kubernetes: node.isCordoned ? `${ready}, cordoned` : ready, version: node.version ?? "unknown" };
  };
  const planned = plan.nodes.map(({ name, role, vmId, address, proxmoxNode }) => {
    const place = places.get(name)!;
    const words = place.is === "not made" ? { kubernetes: "", version: "" } : wordsOf(name);
    const on = place.is === "elsewhere" ? place.on : proxmoxNode;
    return { name, role, vmId, address, proxmoxNode: on, guest: place.is, ...words };
  });
  const names = new Set(plan.nodes.map(({ name }) => name));
  const others = (nodes ?? []).filter(({ name }) => !names.has(name));
  return [
    ...planned,
    ...others.map(({ name, addresses: [address] }) => {
      const former = sight.record.nodes.find((node) => node.name === name);
      const role = former ? ("leaving" as const) : ("foreign" as const);
      const { vmId, proxmoxNode = "" } = former ?? {};
      return { name, role, vmId, address, proxmoxNode, guest: "", ...wordsOf(name) };
    }),
  ];
}
