import type { GuestConfig } from "../pve/guestConfig";

/** One `netN` of a guest. */
export interface GuestNetwork {
  readonly index: number;
  /** Name inside the guest, `eth0`. */
  readonly name: string;
  readonly bridge?: string;
  readonly hwaddr?: string;
  readonly mtu?: string;
  /** `10.0.0.5/24`; undefined for `dhcp` and `manual`. */
  readonly ip?: string;
  readonly gw?: string;
  readonly ip6?: string;
  readonly gw6?: string;
  readonly linkDown: boolean;
}

/** The guest's network interfaces, by index. */
export function guestNetworks({ options }: GuestConfig): GuestNetwork[] {
  const keys = [...options.keys()].filter((key) => /^net\d+$/.test(key));
  return keys.map((key) => parse(Number(key.slice(3)), options.get(key)!)).sort((a, b) => a.index - b.index);
}

function parse(index: number, text: string): GuestNetwork {
  const fields = new Map(text.split(",").map((part) => part.split(/=(.*)/s) as [string, string]));
  const fixed = (key: string) => (/^(dhcp|manual|auto)$/.test(fields.get(key) ?? "") ? undefined : fields.get(key));
  const optional = { bridge: fields.get("bridge"), hwaddr: fields.get("hwaddr"), mtu: fields.get("mtu") };
  const addresses = { ip: fixed("ip"), gw: fields.get("gw"), ip6: fixed("ip6"), gw6: fields.get("gw6") };
  const known = Object.entries({ ...optional, ...addresses }).filter(([, value]) => value !== undefined);
  const linkDown = fields.get("link_down") === "1";
  return { index, name: fields.get("name") ?? `eth${index}`, linkDown, ...Object.fromEntries(known) };
}
