import type { GuestConfig } from "../guestConfig";
import { parsePropertyString } from "../schema/propertyString";
import { ipConfigFormat } from "../schema/vmFormats";
import { sha1 } from "./drives";
import { vmNetworkFormat } from "./options";

// What Proxmox VE 9.2 writes to the cloud-init drive, as `PVE::QemuServer::Cloudinit` does for Linux (`nocloud`).

/** Files of the drive by name. Ignores the snippets in `cicustom`. */
export interface CloudInitFiles {
  readonly user: string;
  readonly network: string;
  readonly meta: string;
}

/** @param host content of the Proxmox host's resolv.conf, for machines without DNS settings. */
export function cloudInitFiles(vmid: number, config: GuestConfig, host: HostDns = {}): CloudInitFiles {
  const [user, network] = [userData(vmid, config), networkConfig(config, host)];
  return { user, network, meta: `instance-id: ${sha1(user + network)}\n` };
}

export interface HostDns {
  readonly nameservers?: readonly string[];
  readonly search?: readonly string[];
}

/** @param hidePassword for callers who may only read. */
export function userData(vmid: number, { options }: GuestConfig, hidePassword = false): string {
  const name = options.get("name") ?? `VM${vmid}`;
  const search = options.get("searchdomain");
  const fqdn = name.includes(".") || !search ? name : `${name}.${search}`;
  const [user, password] = [options.get("ciuser"), options.get("cipassword")];
  const keys = decodeURIComponent(options.get("sshkeys") ?? "")
    .split("\n")
    .filter((key) => key.trim() !== "");
  return lines([
    "#cloud-config",
    `hostname: ${name.replace(/\..*$/, "")}`,
    "manage_etc_hosts: true",
    `fqdn: ${fqdn}`,
    ...(user === undefined ? [] : [`user: ${user}`]),
    ...(user === "root" ? ["disable_root: False"] : []),
    ...(password === undefined ? [] : [`password: ${hidePassword ? "**********" : password}`]),
    ...(options.has("sshkeys") ? ["ssh_authorized_keys:", ...keys.map((key) => `  - ${key}`)] : []),
    "chpasswd:",
    "  expire: False",
    ...(user === "root" ? [] : ["users:", "  - default"]),
    ...((options.get("ciupgrade") ?? "1") === "1" ? ["package_upgrade: true"] : []),
  ]);
}

/** Version 1 of cloud-init's network configuration. */
export function networkConfig({ options }: GuestConfig, host: HostDns = {}): string {
  const networks = [...options.keys()].filter((key) => /^net\d+$/.test(key)).sort();
  const nameservers = options.get("nameserver")?.split(/[\s,;]+/) ?? host.nameservers ?? [];
  const search = options.get("searchdomain")?.split(/\s+/) ?? host.search ?? [];
  return lines([
    "version: 1",
    "config:",
    ...networks.flatMap((key) => physical(key, options)),
    "    - type: nameserver",
    ...(nameservers.length > 0 ? ["      address:", ...nameservers.map((server) => `      - '${server}'`)] : []),
    ...(search.length > 0 ? ["      search:", ...search.map((domain) => `      - '${domain}'`)] : []),
  ]);
}

function physical(key: string, options: ReadonlyMap<string, string>): string[] {
  const index = key.slice("net".length);
  const text = options.get(`ipconfig${index}`);
  if (text === undefined) return [];
  const { macaddr = "" } = parsePropertyString(options.get(key)!, vmNetworkFormat);
  const given = parsePropertyString(text, ipConfigFormat);
  const { ip, gw, ip6, gw6 } = given["ip"] || given["ip6"] ? given : { ip: "dhcp", ip6: "dhcp" };
  return [
    "    - type: physical",
    `      name: eth${index}`,
    `      mac_address: '${macaddr.toLowerCase()}'`,
    "      subnets:",
    ...(ip === undefined ? [] : ip === "dhcp" ? ["      - type: dhcp4"] : static4(ip, gw)),
    ...(ip6 === undefined ? [] : subnet6(ip6, gw6)),
  ];
}

function static4(ip: string, gateway: string | undefined): string[] {
  const [address = "", bits = "32"] = ip.split("/");
  return [
    "      - type: static",
    `        address: '${address}'`,
    `        netmask: '${netmask(Number(bits))}'`,
    ...(gateway === undefined ? [] : [`        gateway: '${gateway}'`]),
  ];
}

function subnet6(ip: string, gateway: string | undefined): string[] {
  if (ip === "dhcp") return ["      - type: dhcp6"];
  if (ip === "auto") return ["      - type: ipv6_slaac"];
  return [
    "      - type: static6",
    `        address: '${ip}'`,
    ...(gateway === undefined ? [] : [`        gateway: '${gateway}'`]),
  ];
}

function netmask(bits: number): string {
  return [0, 8, 16, 24].map((start) => 256 - 2 ** (8 - Math.min(8, Math.max(0, bits - start)))).join(".");
}

function lines(all: readonly string[]): string {
  return all.map((line) => `${line}\n`).join("");
}
