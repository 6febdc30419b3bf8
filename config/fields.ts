import ipaddr from "ipaddr.js";
import { z } from "zod";
import { parseDiskGiB, parseDurationSeconds, parseMemoryMiB } from "./units";

/**
 * The leaves of the config schema. Each says in one phrase what it must be and gives an example; `shape.ts` turns both into
 * the message, together with what was found.
 */

export interface FieldRule {
  /** Continues "<path>: must be …". */
  readonly must: string;
  readonly hint?: string;
  /** The value may be a secret or a key: the message does not repeat it. */
  readonly hidden?: boolean;
}

/** A leaf of one type. The rule travels in the issue's `params`. */
export function field<T>(rule: FieldRule, accepts: (value: unknown) => boolean) {
  return z.custom<T>(accepts, {
    error: `must be ${rule.must}`,
    params: { hint: rule.hint, hidden: rule.hidden ?? false },
  });
}

/** A text that matches a pattern. */
export function text(must: string, hint: string | undefined, pattern: RegExp) {
  return field<string>({ must, hint }, (value) => typeof value === "string" && pattern.test(value));
}

/** A text that matches a pattern and may hold a credential where it does not. */
export function hiddenText(must: string, hint: string, pattern: RegExp) {
  return field<string>({ must, hint, hidden: true }, (value) => typeof value === "string" && pattern.test(value));
}

/** A whole number within bounds, both included. */
export function integer(least: number, most: number, hint?: string) {
  const accepts = (value: unknown) =>
    Number.isInteger(value) && (value as number) >= least && (value as number) <= most;
  return field<number>({ must: `a whole number from ${least} to ${most}`, hint }, accepts);
}

export const boolean = field<boolean>({ must: "true or false, without quotes" }, (value) => typeof value === "boolean");

/** One of a few words. */
export function oneOf<const T extends readonly string[]>(words: T, hint?: string) {
  const listed = words.map((word) => `"${word}"`);
  const must = listed.length > 1 ? `${listed.slice(0, -1).join(", ")} or ${listed.at(-1)}` : String(listed[0]);
  return field<T[number]>({ must, hint }, (value) => words.includes(value as string));
}

function parsed(must: string, hint: string, parse: (text: string) => number | undefined, least = 1) {
  const accepts = (value: unknown) => typeof value === "string" && (parse(value) ?? -1) >= least;
  return field<string>({ must, hint }, accepts).transform((value) => parse(value) as number);
}

/** Memory, read as MiB. */
export const memory = (least: number) =>
  parsed(
    `a size with its unit, at least ${least} MiB`,
    'for example "4GB"; Proxmox counts 4GB as 4096 MiB',
    parseMemoryMiB,
    least,
  );

/** A disk, read as GiB. */
export const disk = parsed(
  "a size in whole GB with its unit",
  'for example "32GB"; Proxmox counts it as 32 GiB',
  parseDiskGiB,
);

/** A duration, read as seconds. */
export const duration = parsed(
  "a duration with its unit, at least one second",
  'for example "90s", "10m" or "1h30m"',
  parseDurationSeconds,
);

export const isIPv4 = (value: unknown): value is string =>
  typeof value === "string" && ipaddr.IPv4.isValidFourPartDecimal(value);

export const ipv4 = field<string>({ must: "an IPv4 address", hint: "for example 192.168.2.20" }, isIPv4);

/** An IPv4 network whose host bits are zero. */
export const cidr = field<string>(
  { must: "an IPv4 network with its prefix and no host bits", hint: "for example 192.168.2.0/24" },
  (value) => {
    if (typeof value !== "string" || !ipaddr.IPv4.isValidCIDRFourPartDecimal(value)) return false;
    return ipaddr.IPv4.networkAddressFromCIDR(value).toString() === value.split("/")[0];
  },
);

const LABEL = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?";

/** RFC 1123 label: a hostname without domain. */
export const HOSTNAME = new RegExp(`^${LABEL}$`);
export const hostname = text(
  "an RFC 1123 label of at most 63 small letters, digits and inner hyphens",
  "for example k3s-worker-01",
  HOSTNAME,
);

const DOMAIN = new RegExp(`^(?=.{1,253}$)${LABEL}(?:\\.${LABEL})*$`);
export const domain = text("a DNS name in small letters", "for example lan.example.org", DOMAIN);

/** An IPv4 address or a DNS name; four numbers that are no address are no name either. */
export const host = field<string>(
  { must: "an IPv4 address or a DNS name in small letters", hint: "for example 192.168.2.167 or pve.lan" },
  (value) => isIPv4(value) || (typeof value === "string" && DOMAIN.test(value) && !/^[\d.]+$/.test(value)),
);

/** A unicast MAC address, read in upper case as Proxmox VE prints it. */
export const mac = text(
  "a unicast MAC address",
  "six pairs of hex digits, the first pair even; for example BC:24:11:B3:ED:03",
  /^[0-9a-f][02468ace](:[0-9a-f]{2}){5}$/i,
).transform((value) => value.toUpperCase());

/** A hex SHA-256, read in small letters. */
export const sha256 = text(
  "a SHA-256 of 64 hex digits",
  "as sha256sum prints it, without the file name",
  /^[0-9a-f]{64}$/i,
).transform((value) => value.toLowerCase());

/**
 * A text, also where YAML or `pulumi config set --path` made a boolean or a whole number of it. A fraction is refused: 1.10
 * would arrive as 1.1.
 */
export function looseText(must: string, hint: string, pattern: RegExp) {
  const accepts = (value: unknown) =>
    (typeof value === "string" || typeof value === "boolean" || Number.isInteger(value)) && pattern.test(String(value));
  return field<string | boolean | number>({ must, hint }, accepts).transform(String);
}
