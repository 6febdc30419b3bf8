import type { AccessStore } from "./access/accessStore";
import type { ContainerDriver, MachineDriver, VmDriver } from "./driver";
import type { GuestStore } from "./guests/guestStore";
import type { GuestKind } from "./guests/kinds";
import type { StorageStore } from "./storage/storageStore";
import type { TaskStore } from "./tasks";

/** The parts of a Proxmox VE node that all of its guests share. */
interface NodeParts {
  /** The node's name, `pve`. */
  readonly name: string;
  readonly access: AccessStore;
  readonly storages: StorageStore;
  readonly tasks: TaskStore;
  /** The bridges that guests may use. */
  readonly bridges: readonly string[];
  /** cgroup version that the node reports. */
  readonly cgroupMode: () => number;
}

/** A node with the guests of one kind: their files, and the driver that runs them. */
export interface GuestNode<Driver extends MachineDriver = MachineDriver> extends NodeParts {
  readonly kind: GuestKind;
  readonly guests: GuestStore;
  readonly driver: Driver;
}

export type ContainerNode = GuestNode<ContainerDriver>;
export type VmNode = GuestNode<VmDriver>;

/** One Proxmox VE node with the guests of each kind, which the endpoints use. */
export interface PveNode extends NodeParts {
  readonly lxc: ContainerNode;
  readonly qemu: VmNode;
}

/** Every guest of a node, by VMID. */
export function allGuests(node: PveNode): { readonly vmid: number; readonly side: GuestNode }[] {
  return [node.lxc, node.qemu]
    .flatMap((side) => side.guests.list().map((vmid) => ({ vmid, side })))
    .sort((a, b) => a.vmid - b.vmid);
}

/** The release that the API simulates. */
export const pveVersion = { version: "9.2.3", release: "9.2", repoid: "5e5ae681198514d4" } as const;
