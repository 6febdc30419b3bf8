import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { run } from "./run";

const ecKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc"];

/**
 * Makes the lab's certificate authority and the API's certificate, which it signs, under the names that a Proxmox host has
 * in `/etc/pve`: `pve-root-ca.pem`, `nodes/pve/pve-ssl.{pem,key}`. The authority's key is not kept.
 */
export async function createCertificates(etcPve: string, address: string): Promise<void> {
  const node = path.join(etcPve, "nodes/pve");
  fs.mkdirSync(node, { recursive: true });
  const temporary = fs.mkdtempSync(path.join(os.tmpdir(), "lab-ca-"));
  try {
    const caKey = path.join(temporary, "ca.key");
    const ca = path.join(etcPve, "pve-root-ca.pem");
    const subject = ["-subj", "/CN=Proxmox Virtual Environment/O=PVE Cluster Manager CA (lab)"];
    const authority = [
      "-addext",
      "basicConstraints=critical,CA:TRUE",
      "-addext",
      "keyUsage=critical,keyCertSign,cRLSign",
    ];
    await run("openssl", [
      "req",
      "-x509",
      ...ecKey,
      "-keyout",
      caKey,
      "-out",
      ca,
      "-days",
      "3650",
      ...subject,
      ...authority,
    ]);
    const key = path.join(node, "pve-ssl.key");
    const server = [
      ...["-addext", `subjectAltName=IP:${address},DNS:pve,DNS:localhost`],
      ...["-addext", "basicConstraints=critical,CA:FALSE", "-addext", "extendedKeyUsage=serverAuth"],
    ];
    const signed = ["-CA", ca, "-CAkey", caKey, "-subj", "/CN=pve", "-days", "820"];
    await run("openssl", [
      "req",
      "-x509",
      ...ecKey,
      "-keyout",
      key,
      "-out",
      path.join(node, "pve-ssl.pem"),
      ...signed,
      ...server,
    ]);
    fs.chmodSync(key, 0o600);
  } finally {
    fs.rmSync(temporary, { recursive: true });
  }
}

/** Writes the authorities that this machine trusts, and the lab's, as one file for `SSL_CERT_FILE`. */
export function writeCaBundle(file: string, etcPve: string): void {
  const system = process.env["SSL_CERT_FILE"] || "/etc/ssl/certs/ca-certificates.crt";
  const trusted = fs.existsSync(system) ? fs.readFileSync(system, "utf8") : "";
  fs.writeFileSync(file, `${trusted.trimEnd()}\n${fs.readFileSync(path.join(etcPve, "pve-root-ca.pem"), "utf8")}`);
}
