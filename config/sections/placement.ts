import { boolean, oneOf, text } from "../fields";
import { OS_TYPES } from "../template";

/** Storage, template and Proxmox VE node of a guest. In `proxmox` they apply to all pools, in a pool only to that pool. */

/** Proxmox VE's `pve-storage-id`. */
export const STORAGE = "[A-Za-z][A-Za-z0-9\\-_.]*[A-Za-z0-9]";

export const storage = text("the name of a Proxmox VE storage", new RegExp(`^${STORAGE}$`), {
  hint: "for example local-lvm",
  example: "local-lvm",
}).meta({
  description: "The storage of the guests' disks.",
  change: "newNodes",
  changeNote:
    "to move the disk of an existing node, run `pct move-volume VMID rootfs STORAGE`, or `qm disk move VMID scsi0 STORAGE`, on the host",
});

export const template = text(
  "the volume id of a container template",
  new RegExp(`^${STORAGE}:vztmpl/[\\w.+~-]+\\.[tT][aA][rR]\\.(?:[gG][zZ]|[xX][zZ]|[zZ][sS][tT])$`),
  {
    hint: "for example local:vztmpl/ubuntu-22.04-standard_22.04-1_amd64.tar.zst; `pveam list local` prints them",
    example: "local:vztmpl/ubuntu-22.04-standard_22.04-1_amd64.tar.zst",
  },
).meta({
  description: "The template of the containers.",
  change: "newNodes",
});

/** Proxmox VE's `ostype`. */
export const osType = oneOf(OS_TYPES).meta({
  description: "The template's operating system. Proxmox VE needs it to write network, hostname and SSH keys.",
  example: "ubuntu",
  otherwise: "the system in the template's name",
  change: "newNodes",
});

export const proxmoxNode = text("the name of a Proxmox VE node", /^[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?$/, {
  hint: "the host's short name, for example pve",
  example: "pve",
});

export const protect = boolean.meta({
  description: "Whether Pulumi protects all resources of a node from deletion and replacement.",
  example: true,
  change: "none",
  independent: true,
});
