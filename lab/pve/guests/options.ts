import { numbered, optional, required, type ParameterTable } from "../schema/schema";
import type { PropertyFormat } from "../schema/propertyString";

// The options of a container, from the source of pve-container 6.1 (`PVE::LXC::Config`).

const mountOption = "(discard|lazytime|noatime|nodev|noexec|nosuid)";
const idMap = "[ug]:[0-9]+:[0-9]+:[1-9][0-9]*";

const rootfsProperties: ParameterTable = {
  volume: required("string", { format: "pve-lxc-mp-string" }),
  size: optional("string", { format: "disk-size" }),
  acl: optional("boolean"),
  mountoptions: optional("string", { pattern: new RegExp(`^${mountOption}(;${mountOption})*$`) }),
  idmap: optional("string", { pattern: new RegExp(`^(passthrough|${idMap}(;${idMap})*)$`) }),
  ro: optional("boolean"),
  quota: optional("boolean"),
  replicate: optional("boolean"),
  shared: optional("boolean"),
};

export const rootfsFormat: PropertyFormat = { properties: rootfsProperties, defaultKey: "volume" };

export const mountPointFormat: PropertyFormat = {
  properties: {
    ...rootfsProperties,
    backup: optional("boolean"),
    mp: required("string", { format: "pve-lxc-mp-string" }),
    keepattrs: optional("boolean"),
  },
  defaultKey: "volume",
};

export const networkFormat: PropertyFormat = {
  properties: {
    type: optional("string", { enum: ["veth"] }),
    name: required("string", { pattern: /^[-_.\w]+$/ }),
    bridge: optional("string", { pattern: /^[-_.\w]+$/ }),
    hwaddr: optional("string", { format: "mac-addr" }),
    mtu: optional("integer", { minimum: 64, maximum: 65535 }),
    ip: optional("string", { format: "pve-ipv4-config" }),
    gw: optional("string", { format: "ipv4" }),
    ip6: optional("string", { format: "pve-ipv6-config" }),
    gw6: optional("string", { format: "ipv6" }),
    firewall: optional("boolean"),
    tag: optional("integer", { minimum: 1, maximum: 4094 }),
    trunks: optional("string", { pattern: /^\d+(;\d+)*$/ }),
    rate: optional("number"),
    link_down: optional("boolean"),
    "host-managed": optional("boolean"),
  },
};

export const featuresFormat: PropertyFormat = {
  properties: {
    mount: optional("string", { pattern: /^[a-zA-Z0-9_; ]+$/ }),
    nesting: optional("boolean"),
    keyctl: optional("boolean"),
    fuse: optional("boolean"),
    mknod: optional("boolean"),
    force_rw_sys: optional("boolean"),
  },
};

const deviceFormat: PropertyFormat = {
  properties: {
    path: optional("string", { format: "pve-lxc-dev-string" }),
    mode: optional("string", { pattern: /^0[0-7]{3}$/ }),
    uid: optional("integer", { minimum: 0 }),
    gid: optional("integer", { minimum: 0 }),
    "deny-write": optional("boolean"),
  },
  defaultKey: "path",
};

const unusedFormat: PropertyFormat = {
  properties: { volume: required("string", { format: "pve-volume-id" }) },
  defaultKey: "volume",
};

/** `$confdesc`: every option that the API takes. Control characters but the tab are refused in `entrypoint` and `env`. */
export const containerOptions: ParameterTable = {
  lock: optional("string", {
    enum: [
      ...["backup", "create", "destroyed", "disk", "fstrim", "migrate"],
      ...["mounted", "rollback", "snapshot", "snapshot-delete"],
    ],
  }),
  onboot: optional("boolean"),
  startup: optional("string", { format: "pve-startup-order" }),
  template: optional("boolean"),
  arch: optional("string", { enum: ["amd64", "i386", "arm64", "armhf", "riscv32", "riscv64"] }),
  ostype: optional("string", {
    enum: [
      ...["debian", "devuan", "ubuntu", "centos", "fedora", "opensuse"],
      ...["archlinux", "alpine", "gentoo", "nixos", "unmanaged"],
    ],
  }),
  console: optional("boolean"),
  tty: optional("integer", { minimum: 0, maximum: 6 }),
  cores: optional("integer", { minimum: 1, maximum: 8192 }),
  cpulimit: optional("number", { minimum: 0, maximum: 8192 }),
  cpuunits: optional("integer", { minimum: 0, maximum: 500_000 }),
  memory: optional("integer", { minimum: 16 }),
  swap: optional("integer", { minimum: 0 }),
  hostname: optional("string", { format: "dns-name", maxLength: 255 }),
  description: optional("string", { maxLength: 8192 }),
  searchdomain: optional("string", { format: "dns-name-list" }),
  nameserver: optional("string", { format: "lxc-ip-with-ll-iface-list" }),
  timezone: optional("string", { format: "pve-ct-timezone" }),
  rootfs: optional("string", { format: rootfsFormat }),
  cmode: optional("string", { enum: ["shell", "console", "tty"] }),
  entrypoint: optional("string", { pattern: /^[^\x00-\x08\x0a-\x1F\x7F]+$/ }),
  protection: optional("boolean"),
  unprivileged: optional("boolean"),
  features: optional("string", { format: featuresFormat }),
  env: optional("string", { pattern: /^(\w+=[^\x00-\x08\x0a-\x1F\x7F]*)(\0\w+=[^\x00-\x08\x0a-\x1F\x7F]*)*$/ }),
  hookscript: optional("string", { format: "pve-volume-id" }),
  tags: optional("string", { format: "pve-tag-list" }),
  debug: optional("boolean"),
  ...numbered("net", 32, optional("string", { format: networkFormat })),
  ...numbered("mp", 256, optional("string", { format: mountPointFormat })),
  ...numbered("unused", 256, optional("string", { format: unusedFormat })),
  ...numbered("dev", 256, optional("string", { format: deviceFormat })),
};

/** Whether `key` names a disk of the guest. */
export function isVolumeKey(key: string): boolean {
  return key === "rootfs" || /^mp\d+$/.test(key);
}
