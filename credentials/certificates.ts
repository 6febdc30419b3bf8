import { X509Certificate } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";
import * as tls from "node:tls";

import type { ProxmoxPlan } from "../plan/model";

/** A relative path in the config is below the program's folder, whatever folder a command was started in. */
const PROGRAM = path.join(__dirname, "..");

type Trust = Pick<ProxmoxPlan, "caFile" | "host">;

/** What is wrong with `proxmox.caFile`, and what to do. */
export interface CaProblem {
  /** `unreadable`: there is no certificate in it. `untrusted`: the Proxmox provider does not know this CA. */
  readonly kind: "unreadable" | "untrusted";
  readonly seen: string;
  readonly remedy: string;
}

export const caPath = (caFile: string): string => path.resolve(PROGRAM, caFile);

/**
 * The CAs for a connection to the API: only those of `proxmox.caFile` if it is set, else those that the Proxmox provider trusts.
 * @throws Error if the file has no certificate
 */
export function apiCas({ caFile }: Pick<Trust, "caFile">): string[] {
  return caFile === undefined ? providerCas() : certificatesIn(caFile);
}

/**
 * What is wrong with `proxmox.caFile`; undefined if there is none, or if the Proxmox provider trusts it too.
 *
 * The provider is a process that Pulumi starts. It takes its CAs only from the system and the environment, so the program cannot
 * give it the file. But the program can tell whether the provider will trust the CA, because both have Pulumi's environment
 * (docs/decisions/0020).
 */
export function caProblem({ caFile, host }: Trust, platform: string = process.platform): CaProblem | undefined {
  if (caFile === undefined) return undefined;
  const fetch = `scp root@${host}:/etc/pve/pve-root-ca.pem ${caFile}, in the program's folder`;
  let own: string[];
  try {
    own = certificatesIn(caFile);
  } catch (error) {
    return { kind: "unreadable", seen: (error as Error).message, remedy: fetch };
  }
  const known = new Set(providerCas(platform).flatMap(fingerprint));
  if (own.flatMap(fingerprint).every((ca) => known.has(ca))) return undefined;
  const seen = `the Proxmox provider does not trust the CA in proxmox.caFile (${caFile})`;
  return { kind: "untrusted", seen, remedy: trustCommand(caPath(caFile), platform) };
}

/** The command with which the Proxmox provider trusts the CAs in a file, in addition to those that it trusts now. */
export function trustCommand(file: string, platform: string = process.platform): string {
  if (platform === "darwin")
    return `sudo security add-trusted-cert -d -r trustRoot -k /Library/Keychains/System.keychain ${file}`;
  if (platform === "win32") return `certutil -addstore Root ${file}, as administrator`;
  const others = process.env["SSL_CERT_DIR"] ? ":$SSL_CERT_DIR" : "";
  return `export SSL_CERT_DIR=${path.dirname(file)}${others}, and put this line into your shell's profile`;
}

/** The CAs that Go's crypto/x509 trusts. On Linux, `SSL_CERT_FILE` replaces the system's file, and `SSL_CERT_DIR` adds to it. */
function providerCas(platform: string = process.platform): string[] {
  const { SSL_CERT_FILE: file, SSL_CERT_DIR: folders } = process.env;
  if (platform !== "linux") return tls.getCACertificates("system");
  const first = file ? blocksOf(file) : tls.getCACertificates("system");
  return [...first, ...(folders ? folders.split(":").flatMap(blocksInFolder) : [])];
}

/**
 * The certificates in a file that the config names, in PEM form.
 * @param key the config's key that names it
 * @throws Error if there are none
 */
export function certificatesIn(caFile: string, key = "proxmox.caFile"): string[] {
  const file = caPath(caFile);
  if (!fs.existsSync(file)) throw new Error(`${key}: there is no file ${caFile}`);
  const found = blocksOf(file).filter((block) => fingerprint(block).length > 0);
  if (found.length === 0) throw new Error(`${key}: ${caFile} has no certificate in PEM form`);
  return found;
}

const BLOCK = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g;

/** The certificates in a file; none if it cannot be read, like Go does it. */
function blocksOf(file: string): string[] {
  try {
    return fs.readFileSync(file, "utf8").match(BLOCK) ?? [];
  } catch {
    return [];
  }
}

const blocksInFolder = (folder: string): string[] =>
  fs.existsSync(folder) ? fs.readdirSync(folder).flatMap((name) => blocksOf(path.join(folder, name))) : [];

function fingerprint(block: string): string[] {
  try {
    return [new X509Certificate(block).fingerprint256];
  } catch {
    return [];
  }
}
