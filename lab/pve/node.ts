import type { AccessStore } from "./access/accessStore";
import type { GuestDriver } from "./driver";
import type { GuestStore } from "./guests/guestStore";
import type { StorageStore } from "./storage/storageStore";
import type { TaskStore } from "./tasks";

/** What the endpoints work on: one Proxmox VE node and its parts. */
export interface PveNode {
  /** The node's name, `pve`. */
  readonly name: string;
  readonly access: AccessStore;
  readonly guests: GuestStore;
  readonly storages: StorageStore;
  readonly tasks: TaskStore;
  readonly driver: GuestDriver;
  /** The bridges that guests may use. */
  readonly bridges: readonly string[];
  /** Version of the control group hierarchy that the node says it runs. */
  readonly cgroupMode: () => number;
}

/** The release that the API simulates. */
export const pveVersion = { version: "9.2.3", release: "9.2", repoid: "5e5ae681198514d4" } as const;
