import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";

interface Subject {
  readonly name: string;
  /** In openssl's form: `IP:192.168.2.20,DNS:pve`. */
  readonly altNames?: string;
  /** @default 2 */
  readonly days?: number;
}

/** Makes a self-signed certificate and its key with openssl, as PEM. */
export function selfSigned({ name, altNames, days = 2 }: Subject): { cert: string; key: string } {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "self-signed-"));
  try {
    const [cert, key] = [path.join(folder, "cert.pem"), path.join(folder, "key.pem")];
    const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-noenc", "-keyout", key];
    const names = altNames === undefined ? [] : ["-addext", `subjectAltName=${altNames}`];
    const args = ["req", "-x509", ...newKey, "-out", cert, "-days", String(days), "-subj", `/CN=${name}`, ...names];
    execFileSync("openssl", args, { stdio: "pipe" });
    return { cert: fs.readFileSync(cert, "utf8"), key: fs.readFileSync(key, "utf8") };
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
}
