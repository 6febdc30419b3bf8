import { createHash } from "node:crypto";

/**
 * The MAC address of a virtual machine for which the config gives none, in upper case. It is computed only from the node's own
 * values. So a machine that is created again has the same address, and a preview knows it. The first octet, 02, makes it a
 * locally administered unicast address. Two nodes in one network have different IP addresses, so they have different MAC
 * addresses.
 */
export function ownMac(
  cluster: string,
  { name, vmId, address }: { readonly name: string; readonly vmId: number; readonly address: string },
): string {
  const hash = createHash("sha256").update([cluster, name, vmId, address].join("\n")).digest("hex");
  return ["02", ...(hash.slice(0, 10).match(/../g) ?? [])].join(":").toUpperCase();
}
