import type { ClusterPlan, NodePlan } from "../model";
import type { NodeRecord } from "../record";
import type { K3sOptions } from "./k3sConfig";

const REGION = "topology.kubernetes.io/region";
const ZONE = "topology.kubernetes.io/zone";
const PROVIDER_ID = "provider-id";
const SCHEME = "proxmox://";

/** Where a Node's machine was created, in the form that Kubernetes and storage drivers for Proxmox VE read. */
interface BirthMarks {
  /** Arguments of the kubelet. */
  readonly kubelet: readonly string[];
  /** `key=value`. */
  readonly labels: readonly string[];
}

const NONE: BirthMarks = { kubelet: [], labels: [] };

/**
 * K3s' options `kubelet-arg` and `node-label` with the marks that the node registers with. Kubernetes never changes the provider
 * ID of a Node. So an existing node keeps its marks, or has none if it was created without them. Values from the config take
 * precedence.
 * @param own the values of both from the config
 * @param former what the state records of the node; undefined for a new one
 */
export function markedOptions(
  node: NodePlan,
  plan: ClusterPlan,
  own: BirthMarks,
  former: NodeRecord | undefined,
): K3sOptions {
  const isSame = former?.k3s !== undefined && former.vmId === node.vmId;
  const marks = isSame ? marksIn(former.k3s.options) : marksOf(node, plan);
  const allArguments = joined(own.kubelet, marks.kubelet);
  return {
    // If nothing is added, the config's own value stays exactly as written.
    ...(allArguments.length > own.kubelet.length ? { "kubelet-arg": allArguments } : {}),
    "node-label": joined(own.labels, marks.labels),
  };
}

function marksOf({ proxmoxNode, vmId }: NodePlan, { proxmox: { region } }: ClusterPlan): BirthMarks {
  return {
    kubelet: [`${PROVIDER_ID}=${SCHEME}${region}/${vmId}`],
    labels: [`${REGION}=${region}`, `${ZONE}=${proxmoxNode}`],
  };
}

function marksIn(options: K3sOptions): BirthMarks {
  const kubelet = texts(options["kubelet-arg"]).filter((text) => text.startsWith(`${PROVIDER_ID}=${SCHEME}`));
  if (kubelet.length === 0) return NONE;
  return { kubelet, labels: texts(options["node-label"]).filter((text) => [REGION, ZONE].includes(keyOf(text))) };
}

/** The values from the config, and those marks whose key the config does not have. */
function joined(own: readonly string[], marks: readonly string[]): string[] {
  const keys = own.map(keyOf);
  return [...own, ...marks.filter((mark) => !keys.includes(keyOf(mark)))];
}

const keyOf = (text: string): string => text.replace(/^-+/, "").split("=")[0]!;
const texts = (value: K3sOptions[string] | undefined): string[] => [value ?? []].flat().map(String);
