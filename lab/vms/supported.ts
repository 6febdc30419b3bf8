import type { GuestConfig } from "../pve/guestConfig";
import { parsePropertyString } from "../pve/schema/propertyString";
import { vmNetworkFormat } from "../pve/vms/options";
import { networkKeys } from "./devices";

/** What a Proxmox node supports and the lab does not, by option. */
const missing: readonly (readonly [RegExp, string])[] = [
  [/^(efidisk|tpmstate)\d+$/, "UEFI firmware or TPM"],
  [/^(hostpci|usb|parallel|virtiofs)\d+$/, "devices or folders of the host"],
  [/^(hookscript|args|ivshmem|watchdog|amd-sev|intel-tdx|hugepages)$/, "such feature"],
];

/** Refuses what a Proxmox node can do and the lab cannot, instead of ignoring it. @throws Error that names the option. */
export function assertSupported(config: GuestConfig): void {
  const { options } = config;
  const refuse = (what: string, key: string): never => {
    throw new Error(`the lab's virtual machines have no ${what} (${key})`);
  };
  for (const key of options.keys()) for (const [keys, what] of missing) if (keys.test(key)) refuse(what, key);
  if (options.get("bios") === "ovmf") refuse("UEFI firmware", "bios");
  if ((options.get("arch") ?? "x86_64") !== "x86_64") refuse("processor of another architecture", "arch");
  if (/cpu|memory/.test(options.get("hotplug") ?? "")) refuse("hot-plugged processors or memory", "hotplug");
  if ((options.get("citype") ?? "nocloud") !== "nocloud") refuse("cloud-init drive of that type", "citype");
  for (const key of networkKeys(config))
    if (parsePropertyString(options.get(key)!, vmNetworkFormat)["tag"] !== undefined) refuse("VLANs", key);
}
