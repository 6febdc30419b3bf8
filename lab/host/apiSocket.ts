/** Socket of the Proxmox host on which the API serves root without login. */
export const apiSocket = "/run/pve-api.sock";
