import ipaddr from "ipaddr.js";

/** True if the networks together contain all addresses of the other. Each is in CIDR form. */
export function covers(networks: readonly string[], other: string): boolean {
  const [address, length] = ipaddr.IPv4.parseCIDR(other);
  return networks.some((network) => {
    const [base, prefix] = ipaddr.IPv4.parseCIDR(network);
    return prefix <= length && address.match(base, prefix);
  });
}

/** True if two networks have an address in common. */
export const overlap = (a: string, b: string): boolean => covers([a], b) || covers([b], a);
