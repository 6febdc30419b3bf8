import * as fs from "node:fs";
import * as path from "node:path";

import { quote } from "../../remote/script";

const SCRIPTS = path.join(__dirname, "../../scripts/admin");

/** The values of each script of `scripts/admin/`. None is a secret. */
export interface AdminValues {
  readonly facts: Record<"CLUSTER" | "GATE_FILE", string>;
  readonly probe: Record<"CANDIDATES", string>;
  readonly make: Record<"CLUSTER" | "POOL" | "API_USER" | "GRANTS" | "TEMPLATE" | "GATE_FILE" | "HOST_KEY", string>;
  readonly token: Record<"CLUSTER" | "POOL" | "API_USER" | "TOKEN" | "HAS_SECRET", string>;
  readonly undo: Record<"CLUSTER" | "POOL" | "API_USER" | "GATE_FILE", string>;
}

/**
 * A script for the administrator's shell on the Proxmox host, as it is sent and shown. It is one function that its last line calls,
 * so a script that was cut off on its way does nothing.
 */
export function renderAdmin<Name extends keyof AdminValues>(name: Name, values: AdminValues[Name]): string {
  const read = (file: string): string => fs.readFileSync(path.join(SCRIPTS, `${file}.sh`), "utf8");
  const assignments = Object.entries<string>(values).map(([key, value]) => `${key}=${quote(value)}`);
  return ["set -eu", ...assignments, "main() {", read("lib"), read(name), "}", "main", ""].join("\n");
}
