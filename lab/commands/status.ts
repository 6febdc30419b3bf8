import { templateName, templateOrigin } from "../containers/baseImage";
import { labFaults } from "../host/faults";
import { CommandError } from "../host/run";
import { Lab, labNetwork, RunningLab } from "../lab";
import { describeFault } from "../pve/faults/fault";
import { firstServer, inGuest, LabGuest, labGuests } from "./guests";

/** What `status --json` prints. */
export interface LabStatus {
  guests: Pick<LabGuest, "vmid" | "name" | "status" | "tags">[];
  nodes: NodeStatus[];
  k3s: Lab["k3s"]["kind"];
}

export interface NodeStatus {
  name: string;
  ready: boolean;
  version: string;
  address: string;
  roles: string[];
}

/** Guests and Kubernetes nodes of a lab; no nodes if no server answers. */
export async function labStatus(lab: RunningLab): Promise<LabStatus> {
  const guests = await labGuests(lab);
  const server = await firstServer(lab, guests);
  return {
    guests: guests.map(({ vmid, name, status, tags }) => ({ vmid, name, status, tags })),
    nodes: server ? await nodes(lab, server) : [],
    k3s: lab.k3s.kind,
  };
}

interface Node {
  metadata: { name: string; labels: Record<string, string> };
  status: {
    nodeInfo: { kubeletVersion: string };
    conditions?: { type: string; status: string }[];
    addresses?: { type: string; address: string }[];
  };
}

async function nodes(lab: RunningLab, server: LabGuest): Promise<NodeStatus[]> {
  let output: string;
  try {
    output = await inGuest(lab, server, "k3s kubectl get nodes -o json --request-timeout=10s".split(" "));
  } catch (error) {
    if (!(error instanceof CommandError)) throw error;
    console.error(`the nodes are unknown: ${error.message}`);
    return [];
  }
  const items = (JSON.parse(output) as { items: Node[] }).items;
  const byName = items.sort((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1));
  return byName.map(({ metadata, status }) => ({
    name: metadata.name,
    ready: status.conditions?.some(({ type, status: value }) => type === "Ready" && value === "True") ?? false,
    version: status.nodeInfo.kubeletVersion,
    address: status.addresses?.find(({ type }) => type === "InternalIP")?.address ?? "",
    roles: Object.keys(metadata.labels)
      .filter((label) => label.startsWith("node-role.kubernetes.io/"))
      .map((label) => label.slice("node-role.kubernetes.io/".length)),
  }));
}

/** The same as text for a person. */
export function printStatus(lab: Lab, status: LabStatus): string {
  const { endpoint, machine } = labNetwork(lab.subnet);
  const line = (key: string, value: string) => `${key.padEnd(10)}${value}`;
  return [
    line("lab", `${lab.name}, stack ${lab.stack}, API ${endpoint}, this machine is ${machine} in its network`),
    line("template", `${templateName}, which is ${templateOrigin}`),
    line("k3s", `${lab.k3s.version}, ${k3sOrigin[status.k3s]}`),
    ...labFaults(lab)
      .list()
      .map((fault) => line("fault", `${fault.id}: ${describeFault(fault)}`)),
    ...(status.guests.length === 0 ? [line("guests", "none")] : []),
    ...status.guests.map(({ vmid, name, status: state, tags }) =>
      line(String(vmid), `${name} ${state} ${tags.join(" ")}`.trimEnd()),
    ),
    ...status.nodes.map(({ name, ready, version, address, roles }) =>
      line("node", `${name} ${ready ? "Ready" : "NotReady"} ${version} ${address} ${roles.join(" ")}`.trimEnd()),
    ),
  ].join("\n");
}

const k3sOrigin: Record<LabStatus["k3s"], string> = {
  release: "the vendor's release",
  path: "the binary that was given by path",
  "stand-in": "a stand-in over upstream Kubernetes, not K3s itself",
};
