import { createHash } from "node:crypto";

/** One raw LXC line, `["lxc.cap.drop", ""]`. Order matters to LXC and is kept. */
export type RawLine = readonly [key: string, value: string];

/** How the files of containers and of virtual machines differ. */
export interface ConfigSyntax {
  /** Name of the section of pending changes: `pve:pending`, `PENDING`. */
  readonly pending: string;
  /** Whether it may have raw `lxc.*` lines besides the options. */
  readonly rawLines: boolean;
  /** Whether the newline at the end of a description is dropped. */
  readonly trimsDescription: boolean;
}

export const containerSyntax: ConfigSyntax = { pending: "pve:pending", rawLines: true, trimsDescription: false };
export const vmSyntax: ConfigSyntax = { pending: "PENDING", rawLines: false, trimsDescription: true };

/**
 * One section of `/etc/pve/lxc/<vmid>.conf` or `/etc/pve/qemu-server/<vmid>.conf`: what a driver needs of a guest.
 *
 * `options` holds every `key: value` line, values exactly as written (`"1"`, `"name=eth0,bridge=vmbr0,…"`), plus
 * `description` decoded from the leading `#` lines; a container's keeps its trailing newline. Raw `lxc.*` lines are kept
 * apart.
 */
export interface GuestConfig {
  readonly options: ReadonlyMap<string, string>;
  readonly raw: readonly RawLine[];
}

/** The section of changes that wait for the next start, which also removes the keys in `deletions`. */
export interface PendingSection extends GuestConfig {
  readonly deletions: readonly string[];
}

/** The whole file: the current configuration, what is pending, and the snapshots by name. */
export interface GuestConfigFile extends GuestConfig {
  readonly pending: PendingSection;
  /** `[special:cloudinit]` of a virtual machine: the values in its cloud-init drive that have changed since it was written. */
  readonly cloudInit: ReadonlyMap<string, string>;
  readonly snapshots: ReadonlyMap<string, GuestConfig>;
}

/** The option `env`, `A=1` NUL `B=2`, is one raw line per variable in the file. */
const environmentKey = "lxc.environment.runtime";

const cloudInitSection = "special:cloudinit";

const noPending: PendingSection = { options: new Map(), raw: [], deletions: [] };

/** A file with one section and nothing pending. */
export function guestConfig(
  options: Iterable<readonly [string, string]>,
  raw: readonly RawLine[] = [],
): GuestConfigFile {
  return { options: new Map(options), raw, pending: noPending, cloudInit: new Map(), snapshots: new Map() };
}

/** SHA-1 of the file's text: what the API returns as `digest` and compares before a write. */
export function configDigest(text: string): string {
  return createHash("sha1").update(text).digest("hex");
}

/**
 * Reads the text of a guest's file as `PVE::LXC::Config::parse_pct_config` and `PVE::QemuServer::parse_vm_config` do.
 *
 * @param warn receives one line for each line that PVE would warn about and skip.
 */
export function parseGuestConfig(
  text: string,
  warn: (line: string) => void = () => {},
  syntax: ConfigSyntax = containerSyntax,
): GuestConfigFile {
  const newSection = () => new SectionReader(syntax);
  const [main, pending, cloudInit] = [newSection(), newSection(), newSection()];
  const snapshots = new Map<string, SectionReader>();
  let section = main;
  for (const line of text.split("\n")) {
    if (/^\s*$/.test(line)) continue;
    const [, name] = /^\[([^\]]*)\]\s*$/.exec(line) ?? [];
    if (name?.toLowerCase() === syntax.pending.toLowerCase()) section = pending;
    else if (name === cloudInitSection) section = cloudInit;
    else if (name !== undefined && /^[a-z][a-z0-9_-]+$/i.test(name)) {
      section = newSection();
      snapshots.set(name, section);
    } else if (!section.read(line, section === pending)) warn(`unable to parse config: ${line}`);
  }
  return {
    ...main.section(),
    pending: { ...pending.section(), deletions: pending.deletions },
    cloudInit: cloudInit.section().options,
    snapshots: new Map([...snapshots].map(([name, reader]) => [name, reader.section()])),
  };
}

/** Writes a guest's file as `write_pct_config` does: description first, keys sorted, raw lines last in each section. */
export function printGuestConfig(file: GuestConfigFile, syntax: ConfigSyntax = containerSyntax): string {
  let text = printSection(file);
  if (file.pending.options.size > 0 || file.pending.deletions.length > 0) {
    const options = new Map(file.pending.options);
    if (file.pending.deletions.length > 0) options.set("delete", file.pending.deletions.join(","));
    text += `\n[${syntax.pending}]\n${printSection({ options, raw: file.pending.raw })}`;
  }
  if (file.cloudInit.size > 0) text += `\n[${cloudInitSection}]\n${printSection({ options: file.cloudInit, raw: [] })}`;
  for (const [name, snapshot] of sorted(file.snapshots)) text += `\n[${name}]\n${printSection(snapshot)}`;
  return text;
}

/** The configuration that the next start will use: pending changes merged, pending deletions left out. */
export function withPending(file: GuestConfigFile): GuestConfig {
  const options = new Map(file.options);
  for (const key of file.pending.deletions) options.delete(key);
  for (const [key, value] of file.pending.options) options.set(key, value);
  return { options, raw: file.raw };
}

class SectionReader {
  readonly deletions: string[] = [];
  private readonly options = new Map<string, string>();
  private readonly raw: RawLine[] = [];
  private description = "";

  constructor(private readonly syntax: ConfigSyntax) {}

  /** Reads one line; false if PVE could not parse it. */
  read(line: string, isPending: boolean): boolean {
    const raw = this.syntax.rawLines ? /^(lxc\.[a-z0-9_.-]+)(?::|\s*=)\s*(.*?)\s*$/.exec(line) : null;
    if (line.startsWith("#")) this.description += `${decodeText(line.slice(1))}\n`;
    else if (raw) {
      if (raw[1] === environmentKey) {
        this.options.set("env", [this.options.get("env"), raw[2]!].filter((part) => part !== undefined).join("\0"));
        return true;
      }
      if (!isRawKey(raw[1]!)) return false;
      this.raw.push([raw[1]!, raw[2]!]);
    } else {
      const option = /^([a-z][a-z_-]*\d*):\s*(.+?)\s*$/.exec(line);
      if (!option) return false;
      const [, key, value] = option as unknown as [string, string, string];
      if (key === "description") this.description += decodeText(value);
      else if (key === "delete") {
        if (!isPending) return false;
        this.deletions.push(
          ...value
            .split(/[\s,;]+/)
            .filter(Boolean)
            .map((name) => name.replace(/^!/, "")),
        );
      } else this.options.set(key, value);
    }
    return true;
  }

  section(): GuestConfig {
    const options = new Map(this.options);
    const description = this.syntax.trimsDescription ? this.description.trimEnd() : this.description;
    if (description) options.set("description", description);
    return { options, raw: this.raw };
  }
}

function printSection({ options, raw }: GuestConfig): string {
  const lines: string[] = [];
  const description = options.get("description")?.replace(/\n+$/, "");
  if (description) lines.push(...description.split("\n").map((line) => `#${encodeText(line)}`));
  for (const [key, value] of sorted(options)) {
    if (key === "description" || key === "env") continue;
    if (value.includes("\n")) throw new Error(`detected invalid newline inside property '${key}'`);
    lines.push(`${key}: ${value}`);
  }
  const environment = options.get("env")?.split("\0") ?? [];
  lines.push(...environment.map((variable) => `${environmentKey}: ${variable}`));
  for (const [key, value] of raw) lines.push(`${key}: ${value}`);
  return lines.map((line) => `${line}\n`).join("");
}

function sorted<T>(map: ReadonlyMap<string, T>): [string, T][] {
  return [...map].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}

/** `PVE::Tools::encode_text`: UTF-8, then percent codes for control and non-ASCII bytes, `%` and `:`. */
export function encodeText(text: string): string {
  return [...Buffer.from(text, "utf8")]
    .map((byte) =>
      byte < 0x20 || byte > 0x7e || byte === 0x25 || byte === 0x3a
        ? `%${byte.toString(16).toUpperCase().padStart(2, "0")}`
        : String.fromCharCode(byte),
    )
    .join("");
}

/** `PVE::Tools::decode_text`. A `%` that starts no code stays. */
export function decodeText(text: string): string {
  const latin1 = Buffer.from(text, "utf8")
    .toString("latin1")
    .replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) => String.fromCharCode(parseInt(hex, 16)));
  return Buffer.from(latin1, "latin1").toString("utf8");
}

/** `is_valid_lxc_conf_key`: a list of raw keys and prefixes. PVE warns about any other key and drops it. */
export function isRawKey(key: string): boolean {
  return rawKeys.has(key) || /^lxc\.(cgroup|cgroup2|prlimit|limit|net)\./.test(key);
}

const rawKeys = new Set(
  [
    ...["apparmor.profile", "apparmor.allow_incomplete", "apparmor.allow_nesting", "apparmor.raw", "selinux.context"],
    ...["include", "arch", "uts.name", "signal.halt", "signal.reboot", "signal.stop"],
    ...["init.cmd", "init.cwd", "init.uid", "init.gid", "init.groups"],
    ...["pty.max", "console.logfile", "console.path", "tty.max", "devtty.dir", "hook.autodev", "autodev", "kmsg"],
    ...["mount.fstab", "mount.entry", "mount.auto", "rootfs.mount", "cap.drop", "cap.keep", "idmap"],
    ...["seccomp.profile", "seccomp.notify.proxy", "seccomp.notify.cookie"],
    ...["hook.pre-start", "hook.pre-mount", "hook.mount", "hook.start", "hook.stop", "hook.post-stop"],
    ...["hook.clone", "hook.destroy", "hook.version", "log.level", "log.file"],
    ...["start.auto", "start.delay", "start.order", "group", "environment", "environment.hooks"],
    ...["fs.mqueue", "kernel.msgmax", "kernel.msgmnb", "kernel.msgmni", "kernel.sem"].map((name) => `sysctl.${name}`),
    ...["shmall", "shmmax", "shmmni", "shm_rmid_forced"].map((name) => `sysctl.kernel.${name}`),
  ].map((name) => `lxc.${name}`),
);
