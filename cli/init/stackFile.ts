import { stringify } from "yaml";

import { PROJECT } from "../stack";
import type { Proposal, ProposedPool } from "./propose";

/** The K3s release of a new stack file: the one of Pulumi.homelab.yaml. */
export const DEFAULT_VERSION = "v1.36.3+k3s1";

/** A text as YAML on one line, in quotes only if it needs them. The host's words are data. */
const word = (text: string): string => stringify(text, { lineWidth: 0, blockQuote: false }).trim();

/** The CA's file, below the program's folder. */
export const caFileOf = (name: string): string => `certificates/${name}.pem`;

/**
 * The stack file of a new cluster, with comments for the user, who owns it from then on.
 * @param nodePublicKey `ssh-ed25519 AAAA… comment`
 */
export function renderStackFile(proposal: Proposal, nodePublicKey: string): string {
  const { name, network, nameservers, pools, host, node } = proposal;
  const lines = [
    "# yaml-language-server: $schema=schema/cluster.schema.json",
    `# The cluster ${name} on the Proxmox host ${host}. Made by npx proxmox-k3s init, and yours from then on: change it, and keep it in`,
    "# version control. Secrets that pulumi config set --secret adds here are encrypted. docs/config.md has every key.",
    "config:",
    `  ${PROJECT}:cluster:`,
    `    name: ${name}`,
    "    # The K3s release. To upgrade, change it and run pulumi up.",
    `    version: ${DEFAULT_VERSION}`,
    "    network:",
    `      cidr: ${word(network.cidr)}`,
    `      gateway: ${word(network.gateway)}`,
    `      bridge: ${word(network.bridge)}`,
    `      nameservers: [${nameservers.map(word).join(", ")}]`,
    "    proxmox:",
    `      node: ${word(node)}`,
    `      host: ${word(host)}`,
    ...(proposal.sshPort === 22 ? [] : [`      sshPort: ${proposal.sshPort}`]),
    "      # The host's public SSH key, as init saw it over your own SSH connection.",
    `      hostKey: ${JSON.stringify(proposal.hostKey)}`,
    ...(proposal.endpoint === undefined
      ? []
      : [`      # The API's certificate has this name.`, `      endpoint: ${word(proposal.endpoint)}`]),
    ...(proposal.ca === undefined
      ? []
      : ["      # A copy of the CA that signs the API's certificate.", `      caFile: ${caFileOf(name)}`]),
    ...(proposal.architecture === "arm64" ? ["      architecture: arm64"] : []),
    `      storage: ${word(pools.control.storage)}`,
    ...(proposal.template === undefined ? [] : [`      template: ${word(proposal.template.volume)}`]),
    "    ssh:",
    "      # Who may log in to the nodes as root. The first key is the program's own (nodePrivateKey).",
    "      authorizedKeys:",
    `        - ${JSON.stringify(nodePublicKey)}`,
    "    # To add a node, raise count. To remove one, add its index to retired and lower count by one.",
    "    pools:",
    ...poolLines("control", pools.control, proposal),
    ...poolLines("worker", pools.worker, proposal),
  ];
  return `${lines.join("\n")}\n`;
}

function poolLines(name: string, pool: ProposedPool, { source, pools }: Proposal): string[] {
  const [what, notes] =
    pool.role === "server"
      ? ["Servers: the control plane.", "1, 3 or 5 in all."]
      : ["Agents: they run your workloads.", "Any number; the next VMIDs and addresses must be free."];
  const image =
    source === undefined || pool.kind === "lxc"
      ? []
      : "template" in source
        ? [`        template: ${source.template}`]
        : "volume" in source
          ? [`        image: { volume: ${word(source.volume)} }`]
          : [
              "        image:",
              `          url: ${word(source.url)}`,
              `          sha256: ${word(source.sha256)}`,
              `          storage: ${word(source.storage)}`,
            ];
  return [
    `      # ${what} ${notes}`,
    `      ${name}:`,
    `        role: ${pool.role}`,
    `        kind: ${pool.kind}`,
    `        count: ${pool.count}`,
    ...image,
    ...(pool.storage === pools.control.storage ? [] : [`        storage: ${word(pool.storage)}`]),
    `        vmIds: { from: ${pool.vmId} }`,
    "        # Outside the range that your router gives to others by DHCP.",
    `        addresses: { from: ${word(pool.address)} }`,
    "        cores: 2",
    "        memory: 4GB",
    "        disk: 32GB",
  ];
}
