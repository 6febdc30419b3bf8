import type { ClusterConfig, Homelab } from "../homelab";
import { vmidOf, type Kind } from "./wish";

/** The template from which the machines are cloned. */
export const TEMPLATE = 9000;

/** The pool of workers of each kind. */
export const POOLS = { lxc: "worker", vm: "vms" } as const;

/** Last byte of the address of the worker with index 0. */
export const ADDRESSES: Readonly<Record<Kind, number>> = { lxc: 20, vm: 40 };

/** One worker of each kind. */
export async function mixed(lab: Homelab): Promise<void> {
  await lab.makeVmTemplate(TEMPLATE);
  lab.edit(({ pools }) => {
    pools.worker.count = 1;
    pools.vms = vmPool();
  });
}

const vmPool = (): ClusterConfig => ({
  ...{ kind: "vm", role: "agent", count: 1, hostname: "k3s-vm-{0}", template: TEMPLATE },
  vmIds: { from: vmidOf({ kind: "vm", index: 1 }) },
  addresses: { from: `192.168.2.${ADDRESSES.vm + 1}` },
  ...{ cores: 4, memory: "8GB", disk: "50GB" },
});
