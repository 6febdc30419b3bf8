/** Folder of the lab's faults on the Proxmox host. On the machine it is in the lab's state. */
export const faultDir = "/var/lib/pve-api/faults";
