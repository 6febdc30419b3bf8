import * as fs from "node:fs";
import * as path from "node:path";

import type { ArgumentName } from "./shapes";
import { KEPT_LEAVE, requireShapes, taskOf, type TaskName } from "./tasks";

/**
 * What a remote script must do. One script serves the first three actions, because the command plugin keeps one stdin.
 * `look` is for scripts that change nothing.
 */
export type Action = "create" | "update" | "delete" | "look";

export { type TaskName, taskNames } from "./tasks";

/** The files that a task finds in `$WORK`. */
export function taskFiles(task: TaskName): Readonly<Record<string, string>> {
  const files = Object.entries(taskOf(task).files ?? {});
  return Object.fromEntries(
    files.map(([name, content]) => [name, "text" in content ? content.text : content.map(read).join("\n")]),
  );
}

const END = "PROXMOX_K3S_END";
const SCRIPTS = path.join(__dirname, "../scripts");

/**
 * A file of `scripts/` as it travels: shell without its lines of comments. They are a third of the text, and the state keeps the text of each
 * step twice. So a changed comment is also no change of any step.
 */
function read(file: string): string {
  const text = fs.readFileSync(path.join(SCRIPTS, file), "utf8");
  return file.endsWith(".sh") ? text.replace(/^[ \t]*#(?!!).*\n/gm, "") : text;
}

/** The text of a task, without the runner. `kept-leave` is the removal script that the roster keeps on the host. */
export function taskText(task: TaskName | "kept-leave"): string {
  const parts = task === "kept-leave" ? ["lib/task", ...KEPT_LEAVE] : taskOf(task).parts;
  return parts.map((part) => read(`${part}.sh`)).join("\n");
}

/** Quotes a word for POSIX shell, in single quotes. */
export function quote(value: string | number): string {
  return `'${String(value).replaceAll("'", `'\\''`)}'`;
}

export interface CommandText {
  readonly task: TaskName;
  readonly action: Action;
  /** Name of the resource; errors and the log on the machine have it too. */
  readonly step: string;
  /** What the step does, in a few words. It is the command's first line, which previews and errors show. */
  readonly title: string;
  /** Name of the lock on the machine: tasks with the same name wait for each other. */
  readonly lock: string;
  readonly boundSeconds: number;
  /** Plain values, readable in every preview. Never a secret. */
  readonly args: Arguments;
}

/** Values by argument, each in the shape that `tasks.ts` gives. */
export type Arguments = Readonly<Partial<Record<ArgumentName, string | number>>>;

/**
 * The command, as previews, state and errors show it. It has only the arguments. The script itself travels on stdin, because
 * the plugin prints the whole command if it fails.
 * @throws Error if an argument or its value is not allowed for the task
 */
export function renderCommand(text: CommandText): string {
  const exports = {
    STEP: text.step,
    ACTION: text.action,
    LOCK: text.lock,
    BOUND: text.boundSeconds,
    ...text.args,
  };
  requireShapes(text.task, exports);
  const lines = Object.entries(exports).map(([name, value]) => `export ${name}=${quote(value)}`);
  return [`# ${text.title}`, ...lines, "exec sh -s"].join("\n");
}

/**
 * Reads the arguments back from a command of {@link renderCommand}, for the record in the state. Empty for a text of another
 * form.
 */
export function readArguments(command: string): Partial<Record<string, string>> {
  const exports = command.matchAll(/^export ([A-Z0-9_]+)='((?:[^']|'\\'')*)'$/gm);
  return Object.fromEntries([...exports].map(([, name, value]) => [name!, value!.replaceAll(`'\\''`, "'")]));
}

export interface StdinValues {
  /** Values that the first preview cannot know (the cluster's id, a release's sums); exported like arguments. */
  readonly inputs?: Arguments;
  /** Written to `$WORK/secret.<NAME>`, mode 0600; they make the whole stdin secret. */
  readonly secrets?: Readonly<Record<string, string>>;
}

/**
 * The complete script: the runner, the values, the files, the task, and the call of the runner.
 * @throws Error if an input or its value is not allowed for the task
 */
export function renderStdin(task: TaskName, values: StdinValues = {}): string {
  requireShapes(task, values.inputs ?? {});
  const inputs = Object.entries(values.inputs ?? {}).map(([name, value]) => `export ${name}=${quote(value)}\n`);
  const secrets = Object.entries(values.secrets ?? {}).map(([name, value]) => hereDocument(`secret.${name}`, value));
  const files = Object.entries(taskFiles(task)).map(([name, text]) => hereDocument(name, text));
  const body = hereDocument("task", taskText(task));
  return [...inputs, read("lib/runner.sh"), ...secrets, ...files, body, "main\n"].join("");
}

/**
 * Reads a secret back from a text of {@link renderStdin}, for the record in the state.
 * @returns undefined if the text has no secret of this name
 */
export function readSecret(stdin: string, name: string): string | undefined {
  const begin = `cat >"$WORK/secret.${name}" <<'${END}'\n`;
  const at = stdin.indexOf(begin);
  if (at < 0) return undefined;
  const rest = stdin.slice(at + begin.length);
  return rest.slice(0, rest.search(new RegExp(`^${END}$`, "m"))).replace(/\n$/, "");
}

function hereDocument(name: string, text: string): string {
  if (text.split("\n").includes(END)) throw new Error(`${name} contains the line ${END}`);
  return `cat >"$WORK/${name}" <<'${END}'\n${text.replace(/\n?$/, "\n")}${END}\n`;
}
