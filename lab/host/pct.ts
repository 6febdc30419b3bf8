import { callApi, followTask, Parameters } from "./pctApi";
import { pull, push } from "./pctFiles";

/*
 * The part of the lab's `pct` that speaks to the API. Arguments, output and exit codes are those of PVE/CLI/pct.pm: 255 for
 * whatever fails.
 */

interface Command {
  /** Names of the words after the command, all required. */
  words: readonly string[];
  run(parameters: Parameters): Promise<void>;
}

const guest = ({ vmid }: Parameters) => `/nodes/pve/lxc/${vmid}`;

/** A command whose call answers with a task, which is followed to its end. */
function task(method: string, path: (parameters: Parameters) => string, words: readonly string[] = ["vmid"]): Command {
  return {
    words,
    run: async (parameters) => {
      const { vmid, ...rest } = parameters;
      const body = words.includes("newid") || path(parameters) === "/nodes/pve/lxc" ? parameters : rest;
      await followTask((await callApi(method, path(parameters), body)) as string);
    },
  };
}

const power = (action: string) => task("POST", (parameters) => `${guest(parameters)}/status/${action}`);

const commands: Readonly<Record<string, Command>> = {
  list: { words: [], run: list },
  config: { words: ["vmid"], run: config },
  status: { words: ["vmid"], run: status },
  set: {
    words: ["vmid"],
    run: async (parameters) => {
      const { vmid, ...rest } = parameters;
      await callApi("PUT", `${guest(parameters)}/config`, rest);
    },
  },
  create: {
    words: ["vmid", "ostemplate"],
    run: task("POST", () => "/nodes/pve/lxc").run,
  },
  clone: task("POST", (parameters) => `${guest(parameters)}/clone`, ["vmid", "newid"]),
  resize: task("PUT", (parameters) => `${guest(parameters)}/resize`, ["vmid", "disk", "size"]),
  start: power("start"),
  stop: power("stop"),
  shutdown: power("shutdown"),
  reboot: power("reboot"),
  destroy: task("DELETE", guest),
  unlock: {
    words: ["vmid"],
    run: async (parameters) => {
      await callApi("PUT", `${guest(parameters)}/config`, { delete: "lock", skiplock: "1" });
    },
  },
  push: { words: ["vmid", "file", "destination"], run: push },
  pull: { words: ["vmid", "path", "destination"], run: pull },
};

async function list(): Promise<void> {
  const guests = (await callApi("GET", "/nodes/pve/lxc", {})) as Record<string, unknown>[];
  if (guests.length === 0) return;
  const line = (...words: unknown[]) => {
    const [vmid, state, lock, name] = words.map((word) => String(word ?? ""));
    console.log(`${vmid!.padEnd(10)} ${state!.padEnd(10)} ${lock!.padEnd(12)} ${name!.padEnd(20)}`);
  };
  line("VMID", "Status", "Lock", "Name");
  const sorted = guests.sort((a, b) => Number(a["vmid"]) - Number(b["vmid"]));
  for (const { vmid, status, lock, name } of sorted) line(vmid, status, lock, name);
}

async function config(parameters: Parameters): Promise<void> {
  const { vmid, ...rest } = parameters;
  const { lxc, digest, ...options } = (await callApi("GET", `${guest(parameters)}/config`, rest)) as Record<string, unknown>;
  for (const key of Object.keys(options).sort()) {
    const value = String(options[key]);
    console.log(`${key}: ${key === "description" ? encodeText(value) : value}`);
  }
  for (const [key, value] of (lxc ?? []) as [string, string][]) console.log(`${key}: ${value}`);
}

/** `PVE::Tools::encode_text`. */
function encodeText(text: string): string {
  return [...Buffer.from(text)]
    .map((byte) => (byte < 0x20 || byte === 0x25 || byte === 0x3a || byte > 0x7e ? percent(byte) : String.fromCharCode(byte)))
    .join("");
}

function percent(byte: number): string {
  return `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
}

async function status(parameters: Parameters): Promise<void> {
  const current = (await callApi("GET", `${guest(parameters)}/status/current`, {})) as Record<string, unknown>;
  if (parameters["verbose"] !== "1") return console.log(`status: ${current["status"]}`);
  for (const key of Object.keys(current).sort()) {
    if (key !== "cpu" && typeof current[key] !== "object") console.log(`${key}: ${current[key]}`);
  }
}

/** Options as `PVE::JSONSchema::get_options` takes them: `--key value`, `--key=value`, one dash or two, a bare flag is 1. */
function parse(args: readonly string[], words: readonly string[]): Parameters {
  const parameters: Record<string, string> = {};
  const rest = [...words];
  for (let i = 0; i < args.length; i++) {
    const option = /^--?([a-z][\w-]*)(?:=(.*))?$/s.exec(args[i]!);
    if (!option) {
      const word = rest.shift();
      if (word === undefined) throw new Error(`400 too many arguments`);
      parameters[word] = args[i]!;
      continue;
    }
    const next = args[i + 1];
    const isFlag = option[2] === undefined && (next === undefined || /^--?[a-z]/.test(next));
    parameters[option[1]!] = option[2] ?? (isFlag ? "1" : args[++i]!);
  }
  if (rest.length > 0) throw new Error(`400 not enough arguments`);
  return parameters;
}

async function main([name = "", ...args]: readonly string[]): Promise<void> {
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (!command) {
    const known = [...Object.keys(commands), "exec", "enter"].sort().join("|");
    throw new Error(name ? `ERROR: unknown command 'pct ${name}'\nUSAGE: pct ${known}` : `ERROR: no command specified\nUSAGE: pct ${known}`);
  }
  await command.run(parse(args, command.words));
}

main(process.argv.slice(2)).catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 255;
});
