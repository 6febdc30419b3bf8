import * as fs from "node:fs";
import * as sshpk from "sshpk";

/** A secret, and its name for findings; a finding never contains the value. */
export interface Secret {
  readonly name: string;
  /** A text, or the bytes of a key. */
  readonly value: string | Buffer;
}

/** A line that holds parts of secrets. */
export interface Leak {
  /** Names of the secrets. */
  readonly secrets: readonly string[];
  /** Counts from 1. */
  readonly line: number;
  /** The beginning of the line, up to the first secret. */
  readonly head: string;
}

/** Length of the shortest part that counts as found. */
const PART = 12;

/** Names of the secrets of which a text contains a part, in any encoding. */
export function secretsIn(text: string, secrets: readonly Secret[]): string[] {
  return [...new Set(leaksIn(text, secrets).flatMap((leak) => leak.secrets))];
}

/** Every line with a part of a secret: as it is, escaped for JSON or a URL, in hex, in base64, or in base64 of that. */
export function leaksIn(text: string, secrets: readonly Secret[]): Leak[] {
  const { parts, beginnings } = partsOf(secrets);
  return text.split("\n").flatMap((line, index) => {
    const found = new Map<string, number>();
    for (let at = 0; at + PART <= line.length; at++) {
      // Almost every position ends here. This check costs a tenth of a look into the map.
      if (beginnings[beginning(line, at)] === 0) continue;
      const secret = parts.get(line.slice(at, at + PART));
      if (secret !== undefined && !found.has(secret)) found.set(secret, at);
    }
    if (found.size === 0) return [];
    const head = line.slice(0, Math.min(120, ...found.values()));
    return [{ secrets: [...found.keys()], line: index + 1, head }];
  });
}

/** Names of secrets by their parts, and a table of hashes of the parts' first characters. */
function partsOf(secrets: readonly Secret[]): { parts: ReadonlyMap<string, string>; beginnings: Uint8Array } {
  const parts = new Map<string, string>();
  for (const { name, value } of secrets) for (const part of spellings(value).flatMap(windows)) parts.set(part, name);
  const beginnings = new Uint8Array(1 << 16);
  for (const part of parts.keys()) beginnings[beginning(part, 0)] = 1;
  return { parts, beginnings };
}

/** A 16-bit hash of the three characters at a position. */
function beginning(text: string, at: number): number {
  return ((text.charCodeAt(at) * 1021 + text.charCodeAt(at + 1)) * 1021 + text.charCodeAt(at + 2)) & 0xffff;
}

function windows(text: string): string[] {
  return Array.from({ length: Math.max(0, text.length - PART + 1) }, (_, at) => text.slice(at, at + PART));
}

function spellings(value: string | Buffer): string[] {
  const bytes = Buffer.isBuffer(value) ? value : Buffer.from(value.trim());
  const texts = [...(Buffer.isBuffer(value) ? [] : [value.trim()]), ...base64s(bytes)];
  const all = [...texts, ...texts.flatMap((text) => base64s(Buffer.from(text)))];
  const hex = bytes.toString("hex");
  return [
    ...all,
    ...all.map((text) => JSON.stringify(text).slice(1, -1)),
    ...all.map((text) => text.replaceAll("/", "\\/")),
    ...all.map(encodeURIComponent),
    ...all.map((text) => text.replaceAll("+", "-").replaceAll("/", "_")),
    hex,
    hex.toUpperCase(),
  ];
}

/** Base64 of bytes at any offset in the encoded text, without the characters that also depend on the bytes next to them. */
function base64s(bytes: Buffer): string[] {
  return [0, 1, 2].map((shift) => {
    const text = Buffer.concat([Buffer.alloc(shift), bytes])
      .toString("base64")
      .replace(/=+$/, "");
    const isWhole = (shift + bytes.length) % 3 === 0;
    return text.slice(Math.ceil((shift * 8) / 6), isWhole ? undefined : -1);
  });
}

/** The secret part of a private key, without its public half and the constant bytes of its format. */
export function privateKey(name: string, pem: string): Secret {
  const { part } = sshpk.parsePrivateKey(pem, "auto") as unknown as { part: Record<string, { data: Buffer }> };
  const secret = part["k"] ?? part["d"];
  if (!secret) throw new Error(`${name}: the scan does not know this type of key`);
  return { name, value: secret.data };
}

/** The lines of a private key that no other key has, for a search in plain text. */
export function keyLines(pem: string): string[] {
  return pem
    .split("\n")
    .filter((line) => line.length >= 40 && !line.startsWith("-----"))
    .slice(1, -1);
}

/**
 * Records the arguments and the environment of every process on this machine, which other users could read; containers'
 * processes are included. It misses processes that end between two looks; a look takes some milliseconds.
 */
export class ProcessWatch {
  private readonly seen = new Map<string, string>();
  private running = true;
  private readonly loop: Promise<void>;
  looks = 0;

  /** @param where variables in which the person passes a secret; these are ignored */
  constructor(private readonly where: readonly string[]) {
    this.loop = this.run();
  }

  /** Every distinct text, with the place where it was found. */
  async stop(): Promise<ReadonlyMap<string, string>> {
    this.running = false;
    await this.loop;
    return this.seen;
  }

  private async run(): Promise<void> {
    while (this.running) {
      for (const pid of fs.readdirSync("/proc").filter((name) => /^\d+$/.test(name))) this.look(pid);
      this.looks += 1;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }

  private look(pid: string): void {
    try {
      const argv = fs.readFileSync(`/proc/${pid}/cmdline`, "utf8");
      const environment = fs.readFileSync(`/proc/${pid}/environ`, "utf8");
      const title = argv.replaceAll("\0", " ").slice(0, 80);
      this.seen.set(argv, `arguments of ${title}`);
      const own = environment.split("\0").filter((pair) => !this.where.includes(pair.split("=", 1)[0] ?? ""));
      this.seen.set(own.join("\0"), `environment of ${title}`);
    } catch {
      // It ended.
    }
  }
}
