import { randomBytes } from "node:crypto";

/** A new MAC address with Proxmox's prefix. */
export function randomMac(): string {
  const own = [...randomBytes(3)].map((byte) => byte.toString(16).padStart(2, "0").toUpperCase());
  return ["BC", "24", "11", ...own].join(":");
}
