import type { GuestStatus, VmDriver } from "../driver";

const refuse = () => Promise.reject(new Error("this node runs no virtual machines: raise the lab by `lab up --vms`"));

/** The driver of a node that cannot run virtual machines. */
export class NoVms implements VmDriver {
  readonly create = refuse;
  readonly clone = refuse;
  readonly addDisk = refuse;
  readonly copyDisk = refuse;
  readonly renameDisk = refuse;
  readonly growDisk = refuse;
  readonly takeSnapshot = refuse;
  readonly rollBack = refuse;
  readonly removeSnapshot = refuse;
  readonly start = refuse;
  readonly shutdown = refuse;
  readonly reset = refuse;
  readonly pause = refuse;
  readonly resume = refuse;
  readonly apply = refuse;
  readonly agent = refuse;

  // Nothing to end or remove.
  async stop(): Promise<void> {}
  async destroy(): Promise<void> {}
  async removeDisk(): Promise<void> {}

  async status(): Promise<GuestStatus> {
    return { running: false, uptimeSeconds: 0, cpu: 0, memBytes: 0, diskBytes: 0 };
  }
}
