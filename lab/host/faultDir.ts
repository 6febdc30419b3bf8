/** Folder of the Proxmox host in which the lab's faults are; the machine sees it in the lab's state. */
export const faultDir = "/var/lib/pve-api/faults";
