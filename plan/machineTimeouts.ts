/**
 * Seconds after which the Proxmox client gives a machine up; its own defaults are half an hour for a creation or a change
 * and a minute for a removal. A creation unpacks a template, on a slow disk for several nodes at once; a removal waits for
 * the guest to shut down before it is stopped by force.
 */
export const MACHINE_TIMEOUTS = { timeoutCreate: 900, timeoutUpdate: 900, timeoutDelete: 300 } as const;
