import type { ClusterPlan } from "../../plan/model";
import type { HostFacts } from "./facts";

/**
 * Where an existing stack file differs from the host or from the keys on this machine. `init` does not change such a file.
 * @param nodePublicKey the public half of the program's key for the nodes
 */
export function differences(plan: ClusterPlan, facts: HostFacts, nodePublicKey: string | undefined): string[] {
  const { proxmox, network, ssh } = plan;
  const body = (key: string): string => key.split(" ").slice(0, 2).join(" ");
  const storages = new Set(plan.nodes.map(({ storage }) => storage));
  return [
    ...(body(proxmox.hostKey) === facts.hostKey ? [] : [`proxmox.hostKey is not this host's: ${facts.hostKey}`]),
    ...(proxmox.node === facts.node ? [] : [`proxmox.node is ${proxmox.node}; this host is ${facts.node}`]),
    ...(facts.bridges.some(({ name }) => name === network.bridge)
      ? []
      : [`network.bridge is ${network.bridge}; the host has ${facts.bridges.map(({ name }) => name).join(", ")}`]),
    ...[...storages]
      .filter((storage) => !facts.storages.some(({ name }) => name === storage))
      .map((storage) => `a pool's storage is ${storage}, which is not active on the host`),
    ...(nodePublicKey === undefined || ssh.authorizedKeys.some((key) => body(key) === body(nodePublicKey))
      ? []
      : [`ssh.authorizedKeys lacks the program's key for the nodes: ${body(nodePublicKey)}`]),
  ];
}
