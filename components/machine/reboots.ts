import { isDeepStrictEqual } from "node:util";

import type { MachineKind } from "../../plan/machineKinds";

/** The inputs of a guest that matter here. */
interface Inputs {
  readonly cpu?: unknown;
  readonly memory?: unknown;
  readonly networkInterfaces?: readonly unknown[];
  readonly initialization?: { readonly ipConfigs?: readonly unknown[] };
}

/**
 * The inputs of a guest for whose change the Proxmox client reboots it (provider of bpg, `container.go` and `vm.go`). The client
 * also reboots for memory, which Proxmox VE could change in a running guest. Two inputs are not in the list. The system's type
 * never changes: it applies only at creation. Further networks come back from the state (docs/decisions/0013), so they differ
 * from the last inputs but not from the guest. A virtual machine's interface moves to another network while it runs.
 */
function rebooting(kind: MachineKind, { cpu, memory, networkInterfaces, initialization }: Inputs): unknown {
  const address = { ...initialization, ipConfigs: initialization?.ipConfigs?.[0] };
  return [memory, address, kind === "lxc" ? networkInterfaces?.[0] : cpu];
}

/** Whether a change of a guest's inputs reboots it. `plan/transitions.ts` tells it in advance. */
export const reboots = (kind: MachineKind, before: Inputs = {}, after: Inputs = {}): boolean =>
  !isDeepStrictEqual(rebooting(kind, before), rebooting(kind, after));
