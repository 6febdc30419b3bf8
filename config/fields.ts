import ipaddr from "ipaddr.js";
import { z } from "zod";
import type { KeyMeta } from "./meta";
import { parseDiskGiB, parseDurationSeconds, parseMemoryMiB } from "./units";

/**
 * The kinds of values in the config schema. They use zod's own types, so that a JSON schema can be generated from them. Each
 * has one phrase that says what it must be, and an example; `shape.ts` makes the error message from both and the value found.
 */

type Words = Pick<KeyMeta, "hint" | "example" | "unit" | "hidden">;

/** A text that matches a pattern. Patterns have no flags, because a JSON schema has none. */
export function text(must: string, pattern: RegExp, words: Words = {}) {
  return z
    .string()
    .regex(pattern)
    .meta({ must, ...words });
}

/** A whole number within bounds, both included. */
export function integer(least: number, most: number, words: Words = {}) {
  return z
    .int()
    .min(least)
    .max(most)
    .meta({ must: `a whole number from ${least} to ${most}`, example: least, ...words });
}

export const boolean = z.boolean().meta({ must: "true or false, without quotes", example: true });

/** `"a", "b" or "c"` */
export function alternatives(words: readonly string[]): string {
  const listed = words.map((word) => `"${word}"`);
  return listed.length > 1 ? `${listed.slice(0, -1).join(", ")} or ${listed.at(-1)}` : String(listed[0]);
}

/** One of a few words. */
export function oneOf<const T extends readonly [string, ...string[]]>(words: T) {
  return z.enum(words).meta({ must: alternatives(words), example: words[0] });
}

/** A text with a unit, read as a whole number. */
function measured(must: string, pattern: RegExp, parse: (text: string) => number | undefined, least: number) {
  return (words: Words) =>
    z
      .string()
      .regex(pattern)
      .refine((value) => (parse(value) ?? -1) >= least)
      .meta({ must, ...words })
      .transform((value) => parse(value) ?? NaN);
}

const SIZE = /^\s*\d+(?:\.\d+)?\s*[MmGgTt][Ii]?[Bb]\s*$/;

/** Memory, read as MiB. */
export const memory = (least: number) =>
  measured(
    `a size with its unit, at least ${least} MiB`,
    SIZE,
    parseMemoryMiB,
    least,
  )({
    hint: 'for example "4GB"; the units are MB, GB and TB, and Proxmox counts 4GB as 4096 MiB',
    example: "4GB",
    unit: "MB, GB or TB; 1GB is 1024 MiB",
  });

/** A disk, read as GiB. */
export const disk = measured(
  "a size in whole GB with its unit",
  SIZE,
  parseDiskGiB,
  1,
)({
  hint: 'for example "32GB"; the units are GB and TB, and Proxmox counts 32GB as 32 GiB',
  example: "32GB",
  unit: "GB or TB; 1GB is 1 GiB",
});

/** A duration, read as seconds. */
export const duration = measured(
  "a duration with its unit, at least one second",
  /^(?=\d)(?:\d+h)?(?:\d+m)?(?:\d+s)?$/,
  parseDurationSeconds,
  1,
)({ hint: 'for example "90s", "10m" or "1h30m"', example: "10m", unit: "h, m, s" });

export const isIPv4 = (value: unknown): value is string =>
  typeof value === "string" && ipaddr.IPv4.isValidFourPartDecimal(value);

export const ipv4 = z
  .ipv4()
  .meta({ must: "an IPv4 address", hint: "for example 192.168.2.20, without a prefix", example: "192.168.2.20" });

/** An IPv4 network whose host bits are zero. */
export const cidr = z
  .cidrv4()
  .refine(
    (value) =>
      ipaddr.IPv4.isValidCIDRFourPartDecimal(value) &&
      ipaddr.IPv4.networkAddressFromCIDR(value).toString() === value.split("/")[0],
  )
  .meta({
    must: "an IPv4 network with its prefix and no host bits",
    hint: "for example 192.168.2.0/24",
    example: "192.168.2.0/24",
  });

export const LABEL = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?";

/** RFC 1123 label: a hostname without domain. */
export const HOSTNAME = new RegExp(`^${LABEL}$`);
export const hostname = text("an RFC 1123 label of at most 63 lowercase letters, digits and inner hyphens", HOSTNAME, {
  hint: "for example k3s-worker-01",
  example: "k3s-worker-01",
});

const DOMAIN = `(?=.{1,253}$)${LABEL}(?:\\.${LABEL})*`;
export const domain = text("a DNS name in lowercase letters", new RegExp(`^${DOMAIN}$`), {
  hint: "for example lan.example.org",
  example: "lan.example.org",
});

const NUMBER = "(?:25[0-5]|2[0-4]\\d|1\\d\\d|[1-9]?\\d)";
const IPV4 = `${NUMBER}(?:\\.${NUMBER}){3}`;

/** An IPv4 address or a DNS name. Four numbers that are not a valid address are not a DNS name either. */
export const host = text(
  "an IPv4 address or a DNS name in lowercase letters",
  new RegExp(`^(?:${IPV4}|(?![\\d.]+$)${DOMAIN})$`),
  { hint: "for example 192.168.2.167 or pve.lan", example: "192.168.2.167" },
);

/** A unicast MAC address, read in upper case as Proxmox VE prints it. */
export const mac = text("a unicast MAC address", /^[0-9A-Fa-f][02468ACEace](?::[0-9A-Fa-f]{2}){5}$/, {
  hint: "six pairs of hex digits, the first pair even; for example BC:24:11:B3:ED:03",
  example: "BC:24:11:B3:ED:03",
}).transform((value) => value.toUpperCase());

/** A file of PEM blocks on the machine that runs the program. */
export const pemFile = (words: Words) =>
  text(
    "the path of a PEM file (.pem or .crt), absolute or below the program's folder",
    /^(?!~)\S+\.(?:pem|crt)$/,
    words,
  );

/** A hex SHA-256, read in lowercase letters. */
export const sha256 = text("a SHA-256 of 64 hex digits", /^[0-9A-Fa-f]{64}$/, {
  hint: "as sha256sum prints it, without the file name",
  example: "0".repeat(64),
}).transform((value) => value.toLowerCase());

/**
 * A text. YAML or `pulumi config set --path` may have made a boolean or a whole number of it. A fraction is refused, because
 * 1.10 would arrive as 1.1.
 */
export const looseText = z
  .union([z.string(), z.boolean(), z.int()])
  .meta({
    must: "a text, a whole number or true or false",
    hint: 'quote it, for example "1.10"',
    example: "web",
  })
  .transform(String);
