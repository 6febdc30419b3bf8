/**
 * Seconds after which the Proxmox provider gives up an operation on a machine. Its defaults are half an hour for a creation
 * or a change, and a minute for a removal. A creation unpacks a template, perhaps on a slow disk and for several nodes at
 * once. A removal waits until the guest has shut down, before it stops it by force.
 */
export const MACHINE_TIMEOUTS = { timeoutCreate: 900, timeoutUpdate: 900, timeoutDelete: 300 } as const;

/**
 * The same for virtual machines. A full clone copies the whole disk of its template. A machine that is to go, or to restart, is
 * asked to shut down, and is stopped by force after `timeoutShutdownVm`.
 */
export const VM_TIMEOUTS = {
  timeoutClone: 1800,
  timeoutReboot: 600,
  timeoutShutdownVm: 180,
  timeoutStartVm: 300,
  timeoutStopVm: 300,
} as const;
