import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as path from "node:path";

import { renderStdin } from "./script";
import { type ArgumentName, COMMON_ARGUMENTS, lines, SHAPES, taskNames, taskOf } from "./tasks";

/** Where the gate stands on a Proxmox host. */
export const GATE_FILE = "/usr/local/sbin/proxmox-k3s-gate";

/** The exit code by which the gate says that a script has run and ended well. */
export const GATE_DONE = 88;

/**
 * The line of root's `authorized_keys` for the program's key. Success is {@link GATE_DONE} alone: what ends with 0 is not the
 * gate, and has run nothing.
 * @param publicKey `ssh-ed25519 AAAA… comment`
 */
export function authorizedKeysLine(publicKey: string): string {
  const notTheGate = `error: proxmox-k3s-gate: ${GATE_FILE} is not the gate, so no script has run; install it by npx proxmox-k3s gate --install`;
  return `restrict,command="${GATE_FILE} && echo '${notTheGate}' >&2; test $? -eq ${GATE_DONE}" ${publicKey}`;
}

/** Tasks that run on the Proxmox host. */
export const HOST_TASKS = taskNames.filter((task) => taskOf(task).runsOn === "host");

/** Tasks that run on nodes, with the nodes' key: the host's key may not have them run on the host. */
export const NODE_TASKS = taskNames.filter((task) => taskOf(task).runsOn === "node");

/** The SHA-256 of a script as the gate sees it: without the values that stand at its head. */
export function gateSum(stdin: string): string {
  return createHash("sha256")
    .update(stdin.replace(/^(?:export [A-Z][A-Z0-9_]*='[^']*(?:'\\''[^']*)*'\n)*/, ""))
    .digest("hex");
}

export interface GateOptions {
  /** Folders on the host from which files of a release may go to guests; without one, none may. */
  readonly artifacts?: readonly string[];
  /** The nodes' public keys; where some are given, no other key comes into a guest. */
  readonly nodeKeys?: readonly string[];
  /** The gate that stands on the host: deletions that its version stored in the state still run. */
  readonly former?: string;
}

/**
 * The forced command for the program's key on the Proxmox host: it runs the scripts of this version of the program, each
 * with the arguments of its task in their shapes, and nothing else.
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

/** What one gate allows more narrowly than the program does. */
function boundShapes({ artifacts = [], nodeKeys = [] }: GateOptions): Partial<Record<ArgumentName, string>> {
  const oneOf = (values: readonly string[]): string => values.map(escapePattern).join("|");
  return {
    FROM: artifacts.length > 0 ? oneOf(artifacts) : "(?!)",
    ...(nodeKeys.length > 0 ? { AUTHORIZED_KEYS: lines(oneOf(nodeKeys)) } : {}),
  };
}

const escapePattern = (text: string): string => text.replace(/[^A-Za-z0-9 ]/g, "\\$&");

/** The scripts with a deletion that a former gate knew, by their lines in its table; their arguments must be known here. */
function formerDeletions(gate: string): string[] {
  const deletes = new Set<string>(taskNames.filter((task) => taskOf(task).deletes));
  return [...gate.matchAll(/^(?:script|former) ([0-9a-f]{64}) ([a-z0-9-]+) ([A-Z0-9_ ]+)$/gm)]
    .filter(([, , task = "", args = ""]) => deletes.has(task) && args.split(" ").every((name) => name in SHAPES))
    .map(([, sum, task, args]) => `former ${sum} ${task} ${args}`);
}
