import { randomBytes } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import { run } from "../host/run";
import type { GuestSource, TaskLog } from "../pve/driver";
import type { GuestConfig } from "../pve/guestConfig";
import { guestNetworks } from "./network";

/*
 * What `PVE::LXC::Setup` writes into a guest's root file system, for Debian and Ubuntu. Callers skip all of it for ostype
 * `unmanaged`, as PVE does.
 */

/** `post_create_hook`: machine id, password, keys, then all that each start writes, then new SSH host keys. */
export async function setUpNewGuest(
  rootfs: string,
  config: GuestConfig,
  from: GuestSource,
  log: TaskLog,
): Promise<void> {
  clearMachineId(rootfs);
  writePreset(rootfs);
  if (from.password !== undefined) await setRootPassword(rootfs, from.password);
  if (from.sshPublicKeys) writeAuthorizedKeys(rootfs, from.sshPublicKeys);
  setUpBeforeStart(rootfs, config);
  await createSshHostKeys(rootfs, config, log);
}

/**
 * `post_clone_hook`: clears the machine id, so that the clone gets its own. The file is emptied, not removed, so that the
 * next boot is no first boot. An id that is `uninitialized` in the source stays so.
 */
export function setUpClone(rootfs: string): void {
  if (readGuestFile(rootfs, "var/lib/dbus/machine-id") !== undefined)
    fs.rmSync(path.join(rootfs, "var/lib/dbus/machine-id"));
  const old = readGuestFile(rootfs, "etc/machine-id");
  if (old !== undefined && old.trim() !== "uninitialized") writeGuestFile(rootfs, "etc/machine-id", "\n");
}

/** `pre_start_hook`: hostname, hosts and DNS follow the configuration at each start. */
export function setUpBeforeStart(rootfs: string, config: GuestConfig): void {
  const { options } = config;
  const hostname = options.get("hostname") ?? "localhost";
  writeGuestFile(rootfs, "etc/hostname", `${shortName(hostname)}\n`);
  writeSection(rootfs, "etc/hosts", hostsSection(rootfs, config, hostname));
  const search = options.get("searchdomain");
  const servers = (options.get("nameserver") ?? hostNameservers()).split(/[\s,;]+/).filter(Boolean);
  const dns = [...(search ? [`search ${search}`] : []), ...servers.map((server) => `nameserver ${server}`)];
  writeSection(rootfs, "etc/resolv.conf", `${dns.join("\n")}\n`);
}

function shortName(hostname: string): string {
  return hostname.replace(/\..*$/, "");
}

/** `update_etc_hosts`. */
function hostsSection(rootfs: string, config: GuestConfig, hostname: string): string {
  const others = (readGuestFile(rootfs, "etc/hosts") ?? "").replace(section, "");
  const domains = (config.options.get("searchdomain") ?? "").split(/[\s,;]+/).filter(Boolean);
  const names = hostname.includes(".")
    ? [hostname, shortName(hostname)]
    : [...domains.map((domain) => `${hostname}.${domain}`), hostname];
  const address = guestNetworks(config).find((net) => net.ip ?? net.ip6);
  const ip = (address?.ip ?? address?.ip6)?.replace(/\/.*$/, "") ?? "127.0.1.1";
  return [
    ...(/^\s*127\.0\.0\.1\s/m.test(others) ? [] : ["127.0.0.1 localhost.localnet localhost"]),
    ...(/^\s*::1\s/m.test(others) ? [] : ["::1 localhost.localnet localhost"]),
    `${ip} ${names.join(" ")}`,
    "",
  ].join("\n");
}

/** A guest without a configured nameserver gets the host's. */
function hostNameservers(): string {
  const file = "/etc/resolv.conf";
  const text = fs.existsSync(file) ? fs.readFileSync(file, "utf8") : "";
  return [...text.matchAll(/^nameserver\s+(\S+)/gm)].map((match) => match[1]).join(" ");
}

/** systemd makes a new one at first boot. */
function clearMachineId(rootfs: string): void {
  for (const name of ["etc/machine-id", "var/lib/dbus/machine-id"]) fs.rmSync(path.join(rootfs, name), { force: true });
}

/**
 * `setup_systemd_preset`, as for Debian 12: without a machine id the first boot enables every unit but these. networkd would
 * delay `network-online.target` for two minutes, because it does not manage the link. The base image would also listen with
 * ssh.socket, which excludes ssh.service.
 */
const disabledUnits = [
  "getty@.service",
  "ssh.socket",
  "sys-kernel-config.mount",
  "sys-kernel-debug.mount",
  "systemd-networkd.service",
];

function writePreset(rootfs: string): void {
  fs.mkdirSync(path.join(rootfs, "etc/systemd/system-preset"), { recursive: true });
  const rules = [...disabledUnits.map((unit) => `disable ${unit}`), "enable container-getty@.service"];
  const text = `# Added by PVE at create-time for first-boot configuration.\n${rules.join("\n")}\n`;
  writeGuestFile(rootfs, "etc/systemd/system-preset/00-pve.preset", text);
}

async function setRootPassword(rootfs: string, password: string): Promise<void> {
  const salt = randomBytes(8).toString("hex");
  const hash = (await run("openssl", ["passwd", "-6", "-salt", salt, "-stdin"], { input: `${password}\n` })).trim();
  const shadow = readGuestFile(rootfs, "etc/shadow") ?? "";
  writeGuestFile(
    rootfs,
    "etc/shadow",
    shadow.replace(/^root:[^:]*/m, () => `root:${hash}`),
    0o640,
  );
}

function writeAuthorizedKeys(rootfs: string, keys: string): void {
  fs.mkdirSync(path.join(rootfs, "root/.ssh"), { recursive: true, mode: 0o700 });
  writeSection(rootfs, "root/.ssh/authorized_keys", `${keys.trim()}\n`, 0o700);
}

/** The kinds that `ssh_host_key_types_to_generate` names and OpenSSH still knows. */
const hostKeyTypes = ["rsa", "ecdsa", "ed25519"];

async function createSshHostKeys(rootfs: string, { options }: GuestConfig, log: TaskLog): Promise<void> {
  const folder = path.join(rootfs, "etc/ssh");
  if (!fs.existsSync(folder)) return;
  const comment = `root@${shortName(options.get("hostname") ?? "localhost")}`;
  for (const type of hostKeyTypes) {
    const name = `ssh_host_${type}_key`;
    log(`Creating SSH host key '${name}' - this may take some time ...`);
    const file = path.join(folder, name);
    for (const old of [file, `${file}.pub`]) fs.rmSync(old, { force: true });
    await run("ssh-keygen", ["-q", "-t", type, "-N", "", "-C", comment, "-f", file]);
    const [, fingerprint] = (await run("ssh-keygen", ["-l", "-f", `${file}.pub`])).split(" ");
    log(`done: ${fingerprint} ${comment}`);
  }
}

const section = /^# --- BEGIN PVE ---\n[^]*?^# --- END PVE ---\n/m;

/** `ct_modify_file`: keeps what others wrote outside of PVE's own section. */
function writeSection(rootfs: string, name: string, data: string, mode?: number): void {
  const block = `# --- BEGIN PVE ---\n${data}# --- END PVE ---\n`;
  const old = readGuestFile(rootfs, name) ?? "";
  const text = section.test(old)
    ? old.replace(section, () => block)
    : `${old}${old && !old.endsWith("\n") ? "\n" : ""}${block}`;
  if (text !== old) writeGuestFile(rootfs, name, text, mode);
}

function readGuestFile(rootfs: string, name: string): string | undefined {
  const file = path.join(rootfs, name);
  return fs.lstatSync(file, { throwIfNoEntry: false })?.isFile() ? fs.readFileSync(file, "utf8") : undefined;
}

/** A link in the guest's file system could lead into the host's, so it is replaced by a file. */
function writeGuestFile(rootfs: string, name: string, text: string, mode = 0o644): void {
  const file = path.join(rootfs, name);
  if (fs.lstatSync(file, { throwIfNoEntry: false })?.isSymbolicLink()) fs.rmSync(file);
  fs.writeFileSync(file, text, { mode });
}
