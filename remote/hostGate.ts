import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";

import { renderStdin, type TaskName, taskNames } from "./script";

/** Tasks that run on nodes, with the nodes' key: the host's key may not have them run on the host. */
export const NODE_TASKS: readonly TaskName[] = ["fetch-artifacts", "install-k3s"];

/** Tasks that run on the Proxmox host. */
export const HOST_TASKS = taskNames.filter((task) => !NODE_TASKS.includes(task));

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
  return fs.readFileSync(path.join(__dirname, "../scripts/host/gate.sh"), "utf8").replace("@SUMS@", sums);
}

if (require.main === module) process.stdout.write(renderGate());
