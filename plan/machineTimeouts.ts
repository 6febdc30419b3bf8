/**
 * Seconds after which the Proxmox provider gives up an operation on a machine. Its defaults are half an hour for a creation
 * or a change, and a minute for a removal. A creation unpacks a template, perhaps on a slow disk and for several nodes at
 * once. A removal waits until the guest has shut down, before it stops it by force.
 */
export const MACHINE_TIMEOUTS = { timeoutCreate: 900, timeoutUpdate: 900, timeoutDelete: 300 } as const;
