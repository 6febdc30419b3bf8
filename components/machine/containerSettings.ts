import type * as proxmoxve from "@muhlba91/pulumi-proxmoxve";

import { LXC_UNPRIVILEGED } from "../../plan/lxcProfile";
import { MACHINE_TIMEOUTS } from "../../plan/machineTimeouts";
import type { ClusterPlan, LxcNodePlan } from "../../plan/model";
import { dns, type FormerGuest, NO_DEVICES, startup, units } from "./settings";

/** The container's settings for Proxmox VE, without the mark; plain values that every preview knows. */
export function containerSettings(
  node: LxcNodePlan,
  plan: ClusterPlan,
  { further = NO_DEVICES, osType = node.osType }: FormerGuest = {},
): proxmoxve.ContainerLegacyArgs {
  const { network, tag } = plan;
  return {
    nodeName: node.proxmoxNode,
    vmId: node.vmId,
    poolId: plan.proxmox.resourcePool,
    tags: [tag],
    operatingSystem: { templateFileId: node.template, type: osType },
    unprivileged: LXC_UNPRIVILEGED,
    cpu: { cores: node.cores, ...units(node) },
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
      ...(further.networkInterfaces as proxmoxve.types.input.ContainerLegacyNetworkInterface[]),
    ],
    startOnBoot: node.startOnBoot,
    ...(node.startup === undefined ? {} : { startup: startup(node.startup) }),
    started: true,
    ...MACHINE_TIMEOUTS,
  };
}
