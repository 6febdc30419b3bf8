import type { ClusterPlan } from "../model";

/** The nodes of a plan for a script on the Proxmox host (the argument MESH): `VMID NAME ADDRESS ROLE`, one per line. */
export const meshLines = ({ nodes }: ClusterPlan): string =>
  nodes.map(({ vmId, name, address, role }) => [vmId, name, address, role].join(" ")).join("\n");
