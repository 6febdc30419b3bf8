import { isDeepStrictEqual } from "node:util";

import type { MachineKind } from "../../plan/machineKinds";

/** What of a guest's inputs matters here. */
interface Inputs {
  readonly cpu?: unknown;
  readonly memory?: unknown;
  readonly networkInterfaces?: readonly unknown[];
  readonly initialization?: { readonly ipConfigs?: readonly unknown[] };
}

/**
 * The inputs of a guest whose change the Proxmox client ends with a reboot (provider of bpg, `container.go` and `vm.go`). The
 * client does so for memory too, which Proxmox VE could change in a running guest. The system's type never changes here: it
 * counts at the creation alone. Nor do further networks: what the state has of them is handed back (docs/decisions/0013), so
 * they differ from the last inputs and not from the guest. A virtual machine's interface moves while it runs.
 */
function rebooting(kind: MachineKind, { cpu, memory, networkInterfaces, initialization }: Inputs): unknown {
  const address = { ...initialization, ipConfigs: initialization?.ipConfigs?.[0] };
  return [memory, address, kind === "lxc" ? networkInterfaces?.[0] : cpu];
}

/** Whether a change of a guest's inputs reboots it; `plan/transitions.ts` says so before. */
export const reboots = (kind: MachineKind, before: Inputs = {}, after: Inputs = {}): boolean =>
  !isDeepStrictEqual(rebooting(kind, before), rebooting(kind, after));
