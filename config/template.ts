/** The systems for which Proxmox VE writes network, hostname and SSH keys (pve-container, `LXC/Setup`); for `unmanaged` it does not. */
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

/** Proxmox VE's `ostype` by the template's file name (`local:vztmpl/ubuntu-22.04-standard…`); `undefined` if the name does not show it. */
export function osTypeOf(template: string): (typeof OS_TYPES)[number] | undefined {
  const file = template.slice(template.indexOf("/") + 1);
  return OS_TYPES.find((type) => file.startsWith(`${type}-`));
}
