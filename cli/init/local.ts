import { execFile } from "node:child_process";
import { randomBytes } from "node:crypto";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { promisify } from "node:util";

import { pulumi } from "../pulumi";
import { PROJECT } from "../stack";
import { writeWhole } from "../wholeFile";

/**
 * The parts that `init` creates on the user's machine. Each keeps what already exists. Secrets go only through files and stdin.
 */

/** Whether it was created now, or already existed. */
export type Outcome = "MADE" | "STANDS";

/** The private keys of a cluster: one for the Proxmox host, one for its nodes. */
export const keyFile = (name: string, of: "host" | "node"): string =>
  path.join(os.homedir(), ".ssh", `proxmox-k3s-${name}-${of}`);

/** The public half of a key; undefined if there is no such key. */
export const publicKeyOf = (file: string): string | undefined =>
  fs.existsSync(`${file}.pub`) ? fs.readFileSync(`${file}.pub`, "utf8").trim() : undefined;

export async function ensureKey(file: string, comment: string): Promise<Outcome> {
  if (fs.existsSync(file) && fs.existsSync(`${file}.pub`)) return "STANDS";
  fs.mkdirSync(path.dirname(file), { recursive: true, mode: 0o700 });
  if (fs.existsSync(file)) {
    const { stdout } = await promisify(execFile)("ssh-keygen", ["-y", "-f", file]);
    fs.writeFileSync(`${file}.pub`, stdout);
    return "MADE";
  }
  // Under another name first, so that a killed run never leaves half a pair.
  const fresh = `${file}.new`;
  for (const rest of [fresh, `${fresh}.pub`]) fs.rmSync(rest, { force: true });
  await promisify(execFile)("ssh-keygen", ["-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", fresh]);
  fs.renameSync(`${fresh}.pub`, `${file}.pub`);
  fs.renameSync(fresh, file);
  return "MADE";
}

/** Writes a file that does not exist yet. */
export function ensureFile(file: string, text: string, mode = 0o644): Outcome {
  if (fs.existsSync(file)) return "STANDS";
  fs.mkdirSync(path.dirname(file), { recursive: true });
  writeWhole(file, text, mode);
  return "MADE";
}

/** The file with the passphrase of the stack's secrets; undefined if the user gives the passphrase in another way. */
export function passphraseFile(env: NodeJS.ProcessEnv = process.env): string | undefined {
  if (env["PULUMI_CONFIG_PASSPHRASE"] !== undefined) return undefined;
  return env["PULUMI_CONFIG_PASSPHRASE_FILE"] || path.join(os.homedir(), ".config/proxmox-k3s-passphrase");
}

export const newPassphrase = (): string => `${randomBytes(24).toString("base64")}\n`;

/** A backend for the state: the user's own, or files in the home folder that only the user can read. */
export async function ensureLogin(): Promise<Outcome> {
  try {
    await pulumi(["whoami"]);
    return "STANDS";
  } catch (error) {
    if (!/must be set for login|not logged in/.test((error as Error).message)) throw error;
    const state = path.join(os.homedir(), ".pulumi");
    fs.mkdirSync(state, { recursive: true });
    fs.chmodSync(state, 0o700); // Pulumi may have created it for its plugins, readable for all
    await pulumi(["login", `file://${os.homedir()}?metadata=skip`]);
    return "MADE";
  }
}

export async function ensureStack(stack: string): Promise<Outcome> {
  const known = JSON.parse(await pulumi(["stack", "ls", "--json"])) as { name: string }[];
  if (known.some(({ name }) => name.split("/").at(-1) === stack)) {
    await pulumi(["stack", "select", stack]);
    return "STANDS";
  }
  await pulumi(["stack", "init", stack]);
  return "MADE";
}

/** The keys in the stack's config. */
export async function configKeys(stack: string): Promise<ReadonlySet<string>> {
  const entries = JSON.parse(await pulumi(["config", "--json", "--stack", stack])) as Record<string, unknown>;
  return new Set(Object.keys(entries).map((key) => key.slice(key.indexOf(":") + 1)));
}

/** An existing secret of the stack. */
export const secretOf = async (stack: string, key: string): Promise<string> =>
  (await pulumi(["config", "get", `${PROJECT}:${key}`, "--stack", stack])).trimEnd();

export async function setSecret(stack: string, key: string, value: string): Promise<void> {
  await pulumi(["config", "set", "--secret", `${PROJECT}:${key}`, "--stack", stack], value);
}
