import ipaddr from "ipaddr.js";

import type { NetworkPlan } from "./model";

/** An IPv4 network as whole numbers, first and last address included. */
export interface Range {
  readonly first: number;
  readonly last: number;
}

/** The address as a whole number, for arithmetic. */
export function toNumber(address: string): number {
  return ipaddr.IPv4.parse(address)
    .toByteArray()
    .reduce((sum, byte) => sum * 256 + byte, 0);
}

/** The dotted form; `undefined` past 255.255.255.255. */
export function fromNumber(value: number): string | undefined {
  if (value < 0 || value > 0xffffffff) return undefined;
  return ipaddr.fromByteArray([value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255]).toString();
}

/** Prefix length of `a.b.c.d/nn`. */
export function prefixOf(cidr: string): number {
  return ipaddr.IPv4.parseCIDR(cidr)[1];
}

/** The networks of pods and services, one per line, for the checks on the nodes. */
export const clusterNetworks = ({ podCidr, serviceCidr }: NetworkPlan): string => `${podCidr}\n${serviceCidr}`;

/** First and last address of a network in CIDR form. */
export function rangeOf(cidr: string): Range {
  return {
    first: toNumber(ipaddr.IPv4.networkAddressFromCIDR(cidr).toString()),
    last: toNumber(ipaddr.IPv4.broadcastAddressFromCIDR(cidr).toString()),
  };
}

export function contains(range: Range, address: string): boolean {
  const value = toNumber(address);
  return range.first <= value && value <= range.last;
}

export function overlap(one: Range, other: Range): boolean {
  return one.first <= other.last && other.first <= one.last;
}
