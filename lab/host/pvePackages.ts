import { pveVersion } from "../pve/node";

/** Version of LXC in the Proxmox VE release that the lab's API simulates. The lab itself runs Debian's LXC. */
const lxcVersion = "6.0.5-4";

/** Entries of Proxmox VE's packages for dpkg's status file, from which scripts on the host read the release. */
export const pvePackages = [
  entry("pve-manager", pveVersion.version, "the lab's double of Proxmox VE: its API, pct, qm and pvesh"),
  entry("lxc-pve", lxcVersion, "the lab's double: Debian's LXC in its place"),
].join("");

function entry(name: string, version: string, description: string): string {
  const fields = { Package: name, Status: "install ok installed", Maintainer: "the lab <root@pve.lab>" };
  const all = { ...fields, Architecture: "all", Version: version, Description: description };
  return `\n${Object.entries(all)
    .map(([field, value]) => `${field}: ${value}\n`)
    .join("")}`;
}
