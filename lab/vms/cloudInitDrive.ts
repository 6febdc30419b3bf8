import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { run } from "../host/run";
import type { GuestConfig } from "../pve/guestConfig";
import { parsePropertyString } from "../pve/schema/propertyString";
import { cloudInitFilesFormat } from "../pve/schema/vmFormats";
import { cloudInitFiles, type HostDns } from "../pve/vms/cloudInit";
import { sha1 } from "../pve/vms/drives";

/**
 * The content of a machine's cloud-init drive, by file name (`generate_nocloud`): that of Proxmox VE, or the snippet that
 * `cicustom` names.
 *
 * @param snippet reads a snippet by its volume ID.
 */
export function cloudInitContent(
  vmid: number,
  config: GuestConfig,
  host: HostDns,
  snippet: (volid: string) => string,
): Readonly<Record<string, string>> {
  const custom = parsePropertyString(config.options.get("cicustom") ?? "", cloudInitFilesFormat);
  const read = (part: string) => (custom[part] === undefined ? undefined : snippet(custom[part]));
  const made = cloudInitFiles(vmid, config, host);
  const [user, network] = [read("user") ?? made.user, read("network") ?? made.network];
  return {
    "user-data": user,
    "network-config": network,
    "meta-data": read("meta") ?? `instance-id: ${sha1(user + network)}\n`,
    "vendor-data": read("vendor") ?? "",
  };
}

/** Writes the drive with the same command as Proxmox VE (`commit_cloudinit_disk`). It may contain a password. */
export async function writeCloudInitDrive(file: string, content: Readonly<Record<string, string>>): Promise<void> {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "cloudinit-"));
  try {
    for (const [name, text] of Object.entries(content))
      fs.writeFileSync(path.join(folder, name), text, { mode: 0o600 });
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, "", { mode: 0o600 });
    await run("genisoimage", ["-quiet", "-iso-level", "3", "-R", "-V", "cidata", "-o", file, folder]);
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
}

/** The DNS settings in a host's resolv.conf. */
export function hostDns(file = "/etc/resolv.conf"): HostDns {
  const text = fs.existsSync(file) ? fs.readFileSync(file, "utf8") : "";
  const values = (key: string) => [...text.matchAll(new RegExp(`^${key}\\s+(.+)$`, "gm"))].map((match) => match[1]!);
  return { nameservers: values("nameserver"), search: values("search").flatMap((line) => line.split(/\s+/)) };
}
