import ipaddr from "ipaddr.js";
import { parsePropertyString, type PropertyFormat } from "./propertyString";
import {
  bootFormat,
  cloudInitFilesFormat,
  cpuFormat,
  ipConfigFormat,
  rngFormat,
  smbiosFormat,
  watchdogFormat,
} from "./vmFormats";

/** Throws with PVE's text if the value does not fit. */
export type FormatCheck = (value: string) => void;

/** The named string formats that our endpoints use, from `PVE::JSONSchema` and the packages that register their own. */
const formats: Readonly<Record<string, FormatCheck>> = {
  string: () => {},
  "pve-vmid": matching(/^[1-9][0-9]{2,8}$/, () => "value does not look like a valid VM ID"),
  "pve-node": matching(/^[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?$/, () => "value does not look like a valid node name"),
  "pve-configid": matching(/^[a-z][a-z0-9_-]+$/i, (id) => `invalid configuration ID '${id}'`),
  "pve-storage-id": (id) => {
    if (id.length < 2) throw new Error(`storage ID '${id}' cannot be shorter than 2 characters`);
    if (!/^[a-z][a-z0-9_.-]*[a-z0-9]$/i.test(id)) throw new Error(`storage ID '${id}' contains illegal characters`);
  },
  "pve-storage-content": matching(
    /^(images|rootdir|vztmpl|iso|backup|snippets|import|none)$/,
    (name) => `invalid content type '${name}'`,
  ),
  "pve-volume-id": matching(/^[a-z][a-z0-9_.-]*[a-z0-9]:.+$/i, (id) => `unable to parse volume ID '${id}'`),
  "pve-tag": matching(/^[a-z0-9_][a-z0-9_+.-]*$/i, () => "invalid characters in tag"),
  "pve-startup-order": (value) => {
    const valid = value.split(",").every((part) => /^(\s*|(order=)?\d+|up=\d+|down=\d+)$/.test(part));
    if (!value || !valid) throw new Error("unable to parse startup options");
  },
  "pve-poolid": (name) => {
    if (name.split("/").length > 3) throw new Error(`pool name '${name}' nested too deeply (max levels = 3)`);
    if (!/^[A-Za-z0-9._-]+(\/[A-Za-z0-9._-]+){0,2}$/.test(name))
      throw new Error(`pool name '${name}' contains invalid characters`);
  },
  "pve-roleid": matching(/^[A-Za-z0-9._-]+$/, (name) => `role name '${name}' contains invalid characters`),
  "pve-realm": matching(/^[A-Za-z][A-Za-z0-9._-]+$/, () => "value does not look like a valid realm"),
  email: matching(
    /^[\w+~-]+(\.[\w+~-]+)*@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*$/,
    () => "value does not look like a valid email address",
  ),
  "pve-groupid": matching(/^[A-Za-z0-9._-]+$/, (name) => `group name '${name}' contains invalid characters`),
  "pve-userid": matching(/^[^\s:/]+@[A-Za-z][A-Za-z0-9._-]+$/, () => "value does not look like a valid user name"),
  "pve-tokenid": matching(
    /^[^\s:/]+@[A-Za-z][A-Za-z0-9._-]+![A-Za-z][A-Za-z0-9._-]+$/,
    () => "value does not look like a valid token ID",
  ),
  "pve-priv": matching(/^[A-Za-z]+(\.[A-Za-z]+)+$/, (name) => `invalid privilege '${name}'`),
  "pve-task-status-type": matching(/^(ok|error|warning|unknown)$/i, (value) => `invalid status '${value}'`),
  "pve-bridge-id": matching(/^[-_.\w]+$/, (id) => `invalid bridge ID '${id}'`),
  "pve-ct-timezone": matching(/^[A-Za-z0-9_+/-]+$/, (zone) => `invalid time zone '${zone}'`),
  urlencoded: matching(/^([-%a-zA-Z0-9_.!~*'()]*)$/, () => "invalid urlencoded string"),
  "pve-volume-id-or-qm-path": (name) => {
    if (!/^(none|cdrom)$/.test(name) && !name.startsWith("/")) volumeId(name);
  },
  "pve-volume-id-or-absolute-path": (name) => {
    if (!name.startsWith("/")) volumeId(name);
  },
  "pve-qm-bootdev": matching(
    /^((ide|sata|scsi|virtio|net|hostpci|usb)\d+)$/,
    (device) => `invalid boot device '${device}'`,
  ),
  "pve-qm-bootdisk": matching(/^((ide|sata|scsi|virtio)\d+)$/, (disk) => `invalid boot disk '${disk}'`),
  "pve-qm-ide": matching(/^\S+$/, () => "invalid format"),
  "pve-hotplug-features": matching(
    /^(0|1|((network|disk|cpu|memory|usb|cloudinit)(,(network|disk|cpu|memory|usb|cloudinit))*))$/,
    (value) => `invalid hotplug feature '${value}'`,
  ),
  "pve-cpuset": matching(
    /^\s*\d+(?:-\d+)?(\s*,\s*\d+(?:-\d+)?)*\s*$/,
    (value) => `unable to parse CPU list '${value}'`,
  ),
  // Devices of the host and confidential machines: accepted without a check.
  "pve-qm-hostpci": () => {},
  "pve-qemu-sev-fmt": () => {},
  "pve-qemu-tdx-fmt": () => {},
  "storage-pair": () => {},
  CIDR: (value) => {
    if (!isNetwork(value, isIpv4) && !isNetwork(value, isIpv6))
      throw new Error("value does not look like a valid CIDR network");
  },
  address: (value) => {
    if (!isIpv4(value) && !isIpv6(value) && !/^[a-zA-Z0-9.-]+$/.test(value))
      throw new Error(`value does not look like a valid address: ${value}`);
  },
  "pve-lxc-mp-string": (path) => {
    if (/\/\.\.?\/|\/\.\.?$|^\.\.\//.test(path)) throw new Error(`${path} contains illegal character sequences`);
  },
  "pve-lxc-dev-string": (path) => {
    if (/\/\.\.?(?:\/|$)/.test(path) || !path.startsWith("/dev/"))
      throw new Error(`${path} is not a valid device path`);
  },
  "mac-addr": matching(
    /^[a-f0-9][02468ace](?::[a-f0-9]{2}){5}$/i,
    () => "value does not look like a valid unicast MAC address",
  ),
  "dns-name": matching(
    /^([a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?\.)*[a-zA-Z0-9]([a-zA-Z0-9-]*[a-zA-Z0-9])?$/,
    () => "value does not look like a valid DNS name",
  ),
  "disk-size": matching(/^\d+(\.\d+)?([KMGT](iB)?)?$/, (size) => `value does not look like a valid disk size: ${size}`),
  ipv4: (value) => {
    if (!isIpv4(value)) throw new Error("value does not look like a valid IPv4 address");
  },
  ipv6: (value) => {
    if (!isIpv6(value)) throw new Error("value does not look like a valid IPv6 address");
  },
  "pve-ipv4-config": (value) => {
    if (!/^(dhcp|manual)$/.test(value) && !isNetwork(value, isIpv4))
      throw new Error("value does not look like a valid ipv4 network configuration");
  },
  "pve-ipv6-config": (value) => {
    if (!/^(auto|dhcp|manual)$/.test(value) && !isNetwork(value, isIpv6))
      throw new Error("value does not look like a valid ipv6 network configuration");
  },
  "lxc-ip-with-ll-iface": (value) => {
    const address = value.replace(/^(fe80:[^%]+)%\S+$/, "$1");
    if (!isIpv4(address) && !isIpv6(address)) throw new Error("value does not look like a valid IP address");
  },
};

/** Named formats whose values are property strings. */
const propertyFormats: Readonly<Record<string, PropertyFormat>> = {
  "pve-vm-cpu-conf": cpuFormat,
  "pve-qm-boot": bootFormat,
  "pve-qm-ipconfig": ipConfigFormat,
  "pve-qm-cicustom": cloudInitFilesFormat,
  "pve-qm-smbios1": smbiosFormat,
  "pve-qm-rng": rngFormat,
  "pve-qm-watchdog": watchdogFormat,
};

/** Checks a value against a named format; a name may end in `-list` (separated by comma, semicolon or space) or `-opt`. */
export function checkNamedFormat(name: string, value: string): void {
  const [, base = name, kind] = /^(.*?)(?:-(list|opt))?$/.exec(name) ?? [];
  const parts = propertyFormats[base];
  const check = parts ? (text: string) => void parsePropertyString(text, parts) : formats[base];
  if (!check) throw new Error(`undefined format '${name}'`);
  if (kind === "list") splitList(value).forEach(check);
  else if (kind !== "opt" || value !== "") check(value);
}

/** `PVE::Tools::split_list`: items separated by comma, semicolon, NUL or white space; a leading separator is dropped. */
export function splitList(text: string | undefined): string[] {
  return (text ?? "").split(/[,;\0\s]+/).filter(Boolean);
}

function matching(pattern: RegExp, text: (value: string) => string): FormatCheck {
  return (value) => {
    if (!pattern.test(value)) throw new Error(text(value));
  };
}

function volumeId(name: string): void {
  if (!/^(([a-z][a-z0-9_.-]*[a-z0-9]):)?.+$/i.test(name)) throw new Error(`unable to parse volume ID '${name}'`);
}

function isIpv4(value: string): boolean {
  return ipaddr.IPv4.isValidFourPartDecimal(value);
}

function isIpv6(value: string): boolean {
  return value.includes(":") && ipaddr.IPv6.isValid(value) && !value.includes("%");
}

/** PVE requires a prefix of at least 8 bits for a network. */
function isNetwork(value: string, isAddress: (address: string) => boolean): boolean {
  const [, address, prefix] = /^([^/]+)\/(\d+)$/.exec(value) ?? [];
  if (!address || !prefix || !isAddress(address)) return false;
  return Number(prefix) > 7 && Number(prefix) <= (address.includes(":") ? 128 : 32);
}
