import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { ensureComponent } from "../components/build";
import { run } from "../host/run";
import type { Log } from "./cache";
import { ensureDebianTool } from "./debianTool";

/** A manifest that SOPS has encrypted, and its key. */
export interface Encrypted {
  /** The values of `data` and `stringData` are encrypted. */
  readonly text: string;
  /** In the form of age-keygen; a secret. */
  readonly ageKey: string;
}

/** Encrypts a Secret's manifest for a new age key, with the commands of docs/addons.md. */
export async function encryptSecret(manifest: string, log: Log): Promise<Encrypted> {
  const keygen = await ensureDebianTool("age", "age-keygen", log);
  const sops = await ensureComponent("sops", log);
  const ageKey = await run(keygen, []);
  const recipient = (await run(keygen, ["-y"], { input: ageKey })).trim();
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "lab-sops-"));
  try {
    const file = path.join(folder, "secret.yaml");
    fs.writeFileSync(file, manifest, { mode: 0o600 });
    await run(sops, ["encrypt", "--age", recipient, "--encrypted-regex", "^(data|stringData)$", "--in-place", file]);
    return { text: fs.readFileSync(file, "utf8"), ageKey };
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
}
