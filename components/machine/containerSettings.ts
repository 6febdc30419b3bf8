import type * as proxmoxve from "@muhlba91/pulumi-proxmoxve";

import { LXC_UNPRIVILEGED } from "../../plan/lxcProfile";
import { MACHINE_TIMEOUTS } from "../../plan/machineTimeouts";
import type { ClusterPlan, LxcNodePlan, NetworkPlan, StartupPlan } from "../../plan/model";
import type { NodeRecord } from "../../plan/record";

/** What stays as the state records it, whatever the config says now. A guest that is made anew has nothing of it. */
export type FormerGuest = Pick<NodeRecord, "further" | "osType">;

/** The container as Proxmox VE is asked for it, but for the mark; plain values that every preview knows. */
export function containerSettings(
  node: LxcNodePlan,
  plan: ClusterPlan,
  { further = { networkInterfaces: [], ipConfigs: [] }, osType = node.osType }: FormerGuest = {},
): proxmoxve.ContainerLegacyArgs {
  const { network, tag } = plan;
  return {
    nodeName: node.proxmoxNode,
    vmId: node.vmId,
    poolId: plan.proxmox.resourcePool,
    tags: [tag],
    operatingSystem: { templateFileId: node.template, type: osType },
    unprivileged: LXC_UNPRIVILEGED,
    cpu: { cores: node.cores },
    memory: { dedicated: node.memoryMiB, swap: node.swapMiB },
    disk: { datastoreId: node.storage, size: node.diskGiB },
    initialization: {
      hostname: node.name,
      dns: dns(network),
      ipConfigs: [
        { ipv4: { address: `${node.address}/${node.prefix}`, gateway: network.gateway } },
        ...further.ipConfigs,
      ],
    },
    networkInterfaces: [
      {
        name: "eth0",
        bridge: network.bridge,
        ...(node.mac ? { macAddress: node.mac } : {}),
        ...(network.vlan ? { vlanId: network.vlan } : {}),
      },
      ...further.networkInterfaces,
    ],
    startOnBoot: node.startOnBoot,
    ...(node.startup === undefined ? {} : { startup: startup(node.startup) }),
    started: true,
    ...MACHINE_TIMEOUTS,
  };
}

function startup({
  order,
  upDelaySeconds,
  downDelaySeconds,
}: StartupPlan): proxmoxve.types.input.ContainerLegacyStartup {
  return { order, upDelay: upDelaySeconds, downDelay: downDelaySeconds };
}

function dns(network: NetworkPlan): { servers: string[]; domain?: string } {
  return { servers: [...network.nameservers], ...(network.searchDomain ? { domain: network.searchDomain } : {}) };
}
