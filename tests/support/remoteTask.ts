/** One of the program's scripts, read from its command text and its stdin; remote/script.ts writes both. */
export interface RemoteTask {
  /** Name of the resource, `k3s-master-claim`. */
  readonly step: string;
  readonly action: "create" | "update" | "delete" | "look";
  /** Exported in the command text and at the beginning of stdin. */
  readonly args: Readonly<Record<string, string>>;
  readonly secrets: Readonly<Record<string, string>>;
  /** The whole of stdin. */
  readonly stdin: string;
}

/** The error of a script that fails, as `fail` of scripts/lib/task.sh reports it. */
export class ScriptFailure extends Error {}

/** A value that the script needs. @throws Error if it is missing */
export function arg(values: Readonly<Record<string, string>>, name: string): string {
  const value = values[name];
  if (value === undefined) throw new Error(`the script got no ${name}`);
  return value;
}

const EXPORT = /^export ([A-Z][A-Z0-9_]*)='((?:[^']|'\\'')*)'$/gm;
const SECRET = /^cat >"\$WORK\/secret\.([A-Z0-9_]+)" <<'(\w+)'\n([\s\S]*?)\n\2$/gm;

/** @throws Error if the command is not one of the program's scripts */
export function readRemoteTask(command: string, stdin: string): RemoteTask {
  const args = { ...exportsOf(command), ...exportsOf(stdin) };
  const { STEP: step, ACTION: action } = args;
  if (step === undefined || !/^(create|update|delete|look)$/.test(action ?? ""))
    throw new Error(`not a script of the program: ${command}`);
  const secrets = Object.fromEntries([...stdin.matchAll(SECRET)].map(([, name, , value]) => [name!, value!]));
  return { step, action: action as RemoteTask["action"], args, secrets, stdin };
}

function exportsOf(text: string): Record<string, string> {
  return Object.fromEntries([...text.matchAll(EXPORT)].map(([, name, value]) => [name!, unquote(value!)]));
}

/** Single quotes keep every character except a single quote, which is written as `'\''`. */
function unquote(text: string): string {
  return text.replaceAll(`'\\''`, "'");
}
