import { boolean, oneOf, text } from "../fields";
import { OS_TYPES } from "../template";

/** Values that say where a guest is and what it is made from: in `proxmox` for all pools, in a pool for its own. */

const STORAGE = "[A-Za-z][A-Za-z0-9\\-_.]*[A-Za-z0-9]";

/** Proxmox VE's `pve-storage-id`. */
export const storage = text("the name of a Proxmox VE storage", new RegExp(`^${STORAGE}$`), {
  hint: "for example local-lvm",
  example: "local-lvm",
}).meta({
  description: "The storage of the guests' disks.",
  change: "newNodes",
  changeNote: "move the disk of a node that stands by `pct move-volume VMID rootfs STORAGE` on the host",
});

export const template = text(
  "the volume id of a container template",
  new RegExp(`^${STORAGE}:vztmpl/[\\w.+~-]+\\.[tT][aA][rR]\\.(?:[gG][zZ]|[xX][zZ]|[zZ][sS][tT])$`),
  {
    hint: "for example local:vztmpl/ubuntu-22.04-standard_22.04-1_amd64.tar.zst; `pveam list local` prints them",
    example: "local:vztmpl/ubuntu-22.04-standard_22.04-1_amd64.tar.zst",
  },
).meta({
  description: "The template that containers are made from.",
  change: "newNodes",
});

/** Proxmox VE's `ostype`. */
export const osType = oneOf(OS_TYPES).meta({
  description: "The template's system, by which Proxmox VE writes network, hostname and SSH keys.",
  example: "ubuntu",
  otherwise: "what the template's name tells",
  change: "newNodes",
});

export const proxmoxNode = text("the name of a Proxmox VE node", /^[a-zA-Z0-9](?:[a-zA-Z0-9-]*[a-zA-Z0-9])?$/, {
  hint: "the host's short name, for example pve",
  example: "pve",
});

export const protect = boolean.meta({
  description: "Pulumi's protection of all resources of a node: nothing deletes or replaces them.",
  example: true,
  change: "none",
  independent: true,
});
