import * as fs from "node:fs";
import * as path from "node:path";
import { encodeText } from "../pve/guestConfig";
import { parseOptions } from "./cliOptions";
import { type CallApi, followTask, type Parameters } from "./pctApi";

/* What `pct` and `qm` have in common: a table of commands, of which most are one call of the API. */

/** The host that a command runs on. */
export interface CommandHost {
  readonly callApi: CallApi;
  /** The folder in place of `/etc/pve`. */
  readonly etcPve: string;
  readonly print: (line: string) => void;
}

export interface Command<Host extends CommandHost> {
  /** Names of the words after the command, all required. */
  readonly words: readonly string[];
  readonly run: (parameters: Parameters, host: Host, rest: readonly string[]) => Promise<void>;
}

/** Commands by name, which may be two words: `guest exec`. */
export type CommandTable<Host extends CommandHost> = Readonly<Record<string, Command<Host>>>;

/** The parameters of a call to a guest's path: all but the VMID, which is in the path. */
export function withoutVmid(parameters: Parameters): Parameters {
  return Object.fromEntries(Object.entries(parameters).filter(([name]) => name !== "vmid"));
}

/** A command whose call returns a task; follows the task to its end. */
export function taskCommand(
  method: string,
  pathOf: (parameters: Parameters) => string,
  words: readonly string[] = ["vmid"],
): Command<CommandHost> {
  return {
    words,
    run: async (parameters, { callApi, print }) =>
      followTask(callApi, String(await callApi(method, pathOf(parameters), withoutVmid(parameters))), print),
  };
}

/** A command whose call returns nothing. */
export function plainCommand(method: string, pathOf: (parameters: Parameters) => string): Command<CommandHost> {
  return {
    words: ["vmid"],
    run: async (parameters, { callApi }) => {
      await callApi(method, pathOf(parameters), withoutVmid(parameters));
    },
  };
}

/** Prints a guest's configuration, raw lines last. */
export function configCommand(pathOf: (parameters: Parameters) => string): Command<CommandHost> {
  return {
    words: ["vmid"],
    run: async (parameters, { callApi, print }) => {
      const { lxc, ...options } = (await callApi("GET", pathOf(parameters), withoutVmid(parameters))) as {
        lxc?: [string, string][];
        [key: string]: unknown;
      };
      for (const [key, value] of sortedEntries(options)) {
        if (key !== "digest") print(`${key}: ${key === "description" ? encodeText(value) : value}`);
      }
      for (const [key, value] of lxc ?? []) print(`${key}: ${value}`);
    },
  };
}

/** `unlock` removes the line from the file: the API has no call for it. @param folder of the files, below the node's. */
export function unlockCommand(folder: string, pathOf: (parameters: Parameters) => string): Command<CommandHost> {
  return {
    words: ["vmid"],
    run: async (parameters, { callApi, etcPve }) => {
      await callApi("GET", pathOf(parameters), {});
      const file = path.join(etcPve, "nodes/pve", folder, `${parameters["vmid"]}.conf`);
      const [main = "", ...sections] = fs.readFileSync(file, "utf8").split(/^(?=\[)/m);
      fs.writeFileSync(`${file}.tmp`, [main.replace(/^lock:.*\n/m, ""), ...sections].join(""), { mode: 0o640 });
      fs.renameSync(`${file}.tmp`, file);
    },
  };
}

/** Plain values by key. */
export function sortedEntries(values: Record<string, unknown>): [key: string, value: string][] {
  const isPlain = (value: unknown): value is string | number => ["string", "number"].includes(typeof value);
  return Object.keys(values)
    .sort()
    .flatMap((key) => (isPlain(values[key]) ? [[key, String(values[key])] as [string, string]] : []));
}

/**
 * Runs a command of a table.
 *
 * @param others names of commands that are served elsewhere.
 * @throws Error with what the program would print before it ends with 255.
 */
export async function runCommand<Host extends CommandHost>(
  program: string,
  table: CommandTable<Host>,
  host: Host,
  words: readonly string[],
  others: readonly string[] = [],
): Promise<void> {
  const [first = "", second = ""] = words;
  const name = [`${first} ${second}`, first].find((candidate) => Object.hasOwn(table, candidate));
  if (name === undefined) {
    const known = [...Object.keys(table), ...others].sort().join("|");
    const problem = first ? `unknown command '${program} ${first}'` : "no command specified";
    throw new Error(`ERROR: ${problem}\nUSAGE: ${program} ${known}`);
  }
  const command = table[name]!;
  const args = words.slice(name.split(" ").length);
  // Words after `--` are for the command in the guest.
  const end = args.includes("--") ? args.indexOf("--") : args.length;
  await command.run(parseOptions(args.slice(0, end), command.words), host, args.slice(end + 1));
}
