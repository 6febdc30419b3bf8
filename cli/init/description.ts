import type { NodePlan } from "../../plan/model";
import { GATE_FILE } from "../../remote/hostGate";
import type { HostFacts } from "./facts";
import { apiUserOf, TOKEN } from "./hostPlan";
import type { Setup } from "./setup";

/**
 * What `init` is about to create, for the question to the user.
 * @param download a template that the host downloads
 */
export function description({ plan, proposal }: Setup, facts: HostFacts, download: string | undefined): string {
  const width = Math.max(...plan.nodes.map(({ name }) => name.length));
  return [
    `The cluster ${plan.name} on ${plan.proxmox.host}: Proxmox VE ${facts.version}, node ${facts.node}, API ${plan.proxmox.endpoint}`,
    ...plan.nodes.map(
      (node) =>
        `  ${node.name.padEnd(width)}  ${node.role.padEnd(6)}  ${node.kind.padEnd(3)}  VMID ${node.vmId}  ${node.address}  on ${node.storage}`,
    ),
    ...new Set(plan.nodes.map((node) => `  ${sourceOf(node, facts)}`)),
    `  network ${plan.network.cidr} on ${plan.network.bridge}, gateway ${plan.network.gateway}`,
    "",
    `On the host: resource pool ${plan.proxmox.resourcePool}, roles PulumiK3s…, user ${apiUserOf(plan.name)} with the token ${TOKEN}, the gate ${GATE_FILE}${download === undefined ? "" : `, the template ${download}`}.`,
    `On this machine: two SSH keys ~/.ssh/proxmox-k3s-${plan.name}-…, ${proposal ? `Pulumi.${plan.name}.yaml, ` : ""}the stack ${plan.name} and its secrets.`,
    "--dry-run prints the script for the host and the stack file; --undo removes what is created on the host.",
    "",
  ].join("\n");
}

function sourceOf(node: NodePlan, { vmTemplates }: HostFacts): string {
  if (node.kind === "lxc") return `containers from ${node.template}`;
  if ("image" in node.source) {
    const { image } = node.source;
    return `virtual machines from the image ${"url" in image ? image.url : image.volume}`;
  }
  const { template } = node.source;
  const found = vmTemplates.find(({ vmId }) => vmId === template);
  return `virtual machines from the template ${template}${found ? ` (${found.name})` : ""}`;
}
