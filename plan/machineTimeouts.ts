/**
 * Seconds after which the Proxmox provider gives up an operation on a machine. Its defaults are half an hour for a creation or a
 * change, and a minute for a removal. A creation unpacks a template, perhaps on a slow disk and for several nodes at once. A
 * removal waits for the guest's shutdown before it stops the guest by force.
 */
export const MACHINE_TIMEOUTS = { timeoutCreate: 900, timeoutUpdate: 900, timeoutDelete: 300 } as const;

/**
 * The same for virtual machines. A full clone copies the whole disk of its template. At a removal or a reboot, the provider asks
 * the machine to shut down, and stops it by force after `timeoutShutdownVm`.
 */
export const VM_TIMEOUTS = {
  timeoutClone: 1800,
  timeoutReboot: 600,
  timeoutShutdownVm: 180,
  timeoutStartVm: 300,
  timeoutStopVm: 300,
} as const;
