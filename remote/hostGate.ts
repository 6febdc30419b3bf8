import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";

import { ownCommand } from "../config/ownCommand";
import { renderStdin } from "./script";
import { type ArgumentName, lines, SHAPES } from "./shapes";
import { COMMON_ARGUMENTS, taskNames, taskOf } from "./tasks";

/** The gate's file on a Proxmox host. */
export const GATE_FILE = "/usr/local/sbin/proxmox-k3s-gate";

/** The gate's exit code if a script has run and succeeded. */
export const GATE_DONE = 88;

/**
 * The line in root's `authorized_keys` for the program's key. Only {@link GATE_DONE} means success. A command that ends with 0
 * is not the gate, and has not run a script.
 * @param publicKey `ssh-ed25519 AAAA… comment`
 */
export function authorizedKeysLine(publicKey: string): string {
  const notTheGate = `error: proxmox-k3s-gate: ${GATE_FILE} is not the gate, so no script has run; install it with ${ownCommand("gate --install")}`;
  return `restrict,command="${GATE_FILE} && echo '${notTheGate}' >&2; test $? -eq ${GATE_DONE}" ${publicKey}`;
}

/** Tasks that run on the Proxmox host. */
export const HOST_TASKS = taskNames.filter((task) => taskOf(task).runsOn === "host");

/** Tasks that run on nodes, with the nodes' key. The gate does not run them on the host. */
export const NODE_TASKS = taskNames.filter((task) => taskOf(task).runsOn === "node");

/** The SHA-256 of a script without the values at its top, as the gate computes it. */
export function gateSum(stdin: string): string {
  return createHash("sha256")
    .update(stdin.replace(/^(?:export [A-Z][A-Z0-9_]*='[^']*(?:'\\''[^']*)*'\n)*/, ""))
    .digest("hex");
}

export interface GateOptions {
  /** Folders on the host from which release files may be copied into guests; empty allows none. */
  readonly artifacts?: readonly string[];
  /** The only public keys that may be written into guests; empty allows any. */
  readonly nodeKeys?: readonly string[];
  /** The gate that is installed on the host. Deletions that its version has stored in the state still run. */
  readonly former?: string;
}

/**
 * The forced command for the program's key on the Proxmox host. It runs only the scripts of this version of the program, each
 * with the arguments of its task, and only if each argument has its shape.
 */
export function renderGate(options: GateOptions = {}): string {
  const scripts = HOST_TASKS.map((task) => {
    const names = [...COMMON_ARGUMENTS, ...taskOf(task).args];
    return `script ${gateSum(renderStdin(task))} ${task} ${names.join(" ")}`;
  });
  const own = new Set(scripts.map((line) => line.split(" ")[1]));
  const former = formerDeletions(options.former ?? "").filter((line) => !own.has(line.split(" ")[1]));
  const shapes = { ...SHAPES, ...boundShapes(options) };
  const used = Object.entries(shapes).filter(([name]) =>
    [...scripts, ...former].some((line) => names(line).includes(name)),
  );
  const table = [...used.map(([name, shape]) => `shape ${name} ${shape}`), ...scripts, ...former];
  return fs
    .readFileSync(path.join(__dirname, "../scripts/host/gate.pl"), "utf8")
    .replace("@TABLE@", () => table.join("\n"));
}

const names = (line: string): string[] => line.split(" ").slice(3);

/** Shapes that this gate restricts further. */
function boundShapes({ artifacts = [], nodeKeys = [] }: GateOptions): Partial<Record<ArgumentName, string>> {
  const oneOf = (values: readonly string[]): string => values.map(escapePattern).join("|");
  return {
    FROM: artifacts.length > 0 ? oneOf(artifacts) : "(?!)",
    ...(nodeKeys.length > 0 ? { AUTHORIZED_KEYS: lines(oneOf(nodeKeys)) } : {}),
  };
}

const escapePattern = (text: string): string => text.replace(/[^A-Za-z0-9 ]/g, "\\$&");

/** The deletion scripts in the table of a former gate, if this version knows all their arguments. */
function formerDeletions(gate: string): string[] {
  const deletes = new Set<string>(taskNames.filter((task) => taskOf(task).deletes));
  return [...gate.matchAll(/^(?:script|former) ([0-9a-f]{64}) ([a-z0-9-]+) ([A-Z0-9_ ]+)$/gm)]
    .filter(([, , task = "", args = ""]) => deletes.has(task) && args.split(" ").every((name) => name in SHAPES))
    .map(([, sum, task, args]) => `former ${sum} ${task} ${args}`);
}
