/** The systems whose network, hostname and SSH keys Proxmox VE writes (pve-container, `LXC/Setup`); `unmanaged` gets none of them. */
export const OS_TYPES = [
  "alpine",
  "archlinux",
  "centos",
  "debian",
  "devuan",
  "fedora",
  "gentoo",
  "nixos",
  "opensuse",
  "ubuntu",
] as const;

/** Proxmox VE's `ostype` by the template's file name (`local:vztmpl/ubuntu-22.04-standard…`); `undefined` when it does not tell. */
export function osTypeOf(template: string): (typeof OS_TYPES)[number] | undefined {
  const file = template.slice(template.indexOf("/") + 1);
  return OS_TYPES.find((type) => file.startsWith(`${type}-`));
}
