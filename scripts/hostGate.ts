import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";

import { renderStdin, taskNames } from "./render";

/** Tasks that run on the Proxmox host; the others run on nodes, with the nodes' key. */
export const HOST_TASKS = taskNames.filter((task) => task !== "install-k3s");

/** The SHA-256 of a script as the gate sees it: without the values that stand at its head. */
export function gateSum(stdin: string): string {
  return createHash("sha256")
    .update(stdin.replace(/^(?:export [A-Z0-9_]+='[^']*'\n)*/, ""))
    .digest("hex");
}

/**
 * The forced command for the program's key on the Proxmox host: it runs the scripts of this version of the program and
 * nothing else, with arguments that are only arguments.
 */
export function renderGate(): string {
  const sums = HOST_TASKS.map((task) => `${gateSum(renderStdin(task))} ${task}`).join("\n");
  return fs.readFileSync(path.join(__dirname, "host-gate.sh"), "utf8").replace("@SUMS@", sums);
}

if (require.main === module) process.stdout.write(renderGate());
