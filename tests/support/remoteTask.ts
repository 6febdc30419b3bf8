/** A script of the program as its command text and its stdin tell of it; remote/script.ts writes both. */
export interface RemoteTask {
  /** Name of the resource, `k3s-master-claim`. */
  readonly step: string;
  readonly action: "create" | "update" | "delete" | "look";
  /** Exported by the command text and at the head of stdin. */
  readonly args: Readonly<Record<string, string>>;
  readonly secrets: Readonly<Record<string, string>>;
  /** The whole of stdin. */
  readonly stdin: string;
}

/** A cause that ends a script, as `fail` of scripts/lib/task.sh does. */
export class ScriptFailure extends Error {}

/** A value that a script cannot do without. */
export function arg(values: Readonly<Record<string, string>>, name: string): string {
  const value = values[name];
  if (value === undefined) throw new Error(`the script got no ${name}`);
  return value;
}

const EXPORT = /^export ([A-Z][A-Z0-9_]*)='((?:[^']|'\\'')*)'$/gm;
const SECRET = /^cat >"\$WORK\/secret\.([A-Z0-9_]+)" <<'(\w+)'\n([\s\S]*?)\n\2$/gm;

/** @throws Error when the command is not one of the program's scripts. */
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

/** Single quotes keep everything but themselves, which stand as `'\''`. */
function unquote(text: string): string {
  return text.replaceAll(`'\\''`, "'");
}
