import * as fs from "node:fs";
import * as path from "node:path";
import { parseOptions } from "./cliOptions";
import { type CallApi, followTask, type Parameters } from "./pctApi";

/*
 * The part of the lab's `pct` that calls the API. Arguments and output are those of PVE/CLI/pct.pm.
 */

/** The host that `pct` runs on. */
export interface PctHost {
  readonly callApi: CallApi;
  /** The folder that stands for `/etc/pve`. */
  readonly etcPve: string;
  readonly print: (line: string) => void;
  /** `pct push` and `pct pull`: `vmid`, `file` or `path`, `destination`, and their options. */
  readonly push: (parameters: Parameters) => Promise<void>;
  readonly pull: (parameters: Parameters) => Promise<void>;
}

interface Command {
  /** Names of the words after the command, all required. */
  readonly words: readonly string[];
  readonly run: (parameters: Parameters, host: PctHost) => Promise<void>;
}

const guest = ({ vmid }: Parameters) => `/nodes/pve/lxc/${vmid}`;

/** What a call to a guest's own path is given: all but the VMID, which is in the path. */
function withoutVmid(parameters: Parameters): Parameters {
  return Object.fromEntries(Object.entries(parameters).filter(([name]) => name !== "vmid"));
}

/** A command whose call answers with a task, which is followed to its end. */
function task(
  method: string,
  pathOf: (parameters: Parameters) => string,
  words: readonly string[] = ["vmid"],
): Command {
  return {
    words,
    run: async (parameters, { callApi, print }) =>
      followTask(callApi, String(await callApi(method, pathOf(parameters), withoutVmid(parameters))), print),
  };
}

const power = (action: string) => task("POST", (parameters) => `${guest(parameters)}/status/${action}`);

const commands: Readonly<Record<string, Command>> = {
  list: { words: [], run: list },
  config: { words: ["vmid"], run: config },
  status: { words: ["vmid"], run: status },
  set: {
    words: ["vmid"],
    run: async (parameters, { callApi }) => {
      await callApi("PUT", `${guest(parameters)}/config`, withoutVmid(parameters));
    },
  },
  create: {
    words: ["vmid", "ostemplate"],
    run: async (parameters, { callApi, print }) =>
      followTask(callApi, String(await callApi("POST", "/nodes/pve/lxc", parameters)), print),
  },
  clone: task("POST", (parameters) => `${guest(parameters)}/clone`, ["vmid", "newid"]),
  resize: task("PUT", (parameters) => `${guest(parameters)}/resize`, ["vmid", "disk", "size"]),
  start: power("start"),
  stop: power("stop"),
  shutdown: power("shutdown"),
  reboot: power("reboot"),
  destroy: task("DELETE", guest),
  unlock: { words: ["vmid"], run: unlock },
  push: { words: ["vmid", "file", "destination"], run: (parameters, host) => host.push(parameters) },
  pull: { words: ["vmid", "path", "destination"], run: (parameters, host) => host.pull(parameters) },
};

interface ListedGuest {
  vmid: number;
  status: string;
  lock?: string;
  name: string;
}

async function list(_: Parameters, { callApi, print }: PctHost): Promise<void> {
  const guests = (await callApi("GET", "/nodes/pve/lxc", {})) as ListedGuest[];
  if (guests.length === 0) return;
  const line = (vmid: string, state: string, lock: string, name: string) =>
    print(`${vmid.padEnd(10)} ${state.padEnd(10)} ${lock.padEnd(12)} ${name.padEnd(20)}`);
  line("VMID", "Status", "Lock", "Name");
  const sorted = guests.sort((a, b) => a.vmid - b.vmid);
  for (const entry of sorted) line(String(entry.vmid), entry.status, entry.lock ?? "", entry.name);
}

async function config(parameters: Parameters, { callApi, print }: PctHost): Promise<void> {
  const { lxc, ...options } = (await callApi("GET", `${guest(parameters)}/config`, withoutVmid(parameters))) as {
    lxc?: [string, string][];
    [key: string]: unknown;
  };
  for (const [key, value] of sortedEntries(options)) {
    if (key !== "digest") print(`${key}: ${key === "description" ? encodeText(value) : value}`);
  }
  for (const [key, value] of lxc ?? []) print(`${key}: ${value}`);
}

/** `PVE::Tools::encode_text`. */
function encodeText(text: string): string {
  return [...Buffer.from(text)]
    .map((byte) =>
      byte < 0x20 || byte === 0x25 || byte === 0x3a || byte > 0x7e ? percent(byte) : String.fromCharCode(byte),
    )
    .join("");
}

function percent(byte: number): string {
  return `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
}

async function status(parameters: Parameters, { callApi, print }: PctHost): Promise<void> {
  const current = (await callApi("GET", `${guest(parameters)}/status/current`, {})) as Record<string, unknown>;
  const entries = sortedEntries(current);
  if (parameters["verbose"] !== "1") return print(`status: ${new Map(entries).get("status")}`);
  for (const [key, value] of entries) if (key !== "cpu") print(`${key}: ${value}`);
}

/** The API has no call for it: `pct unlock` takes the line out of the file (`PVE::LXC::Config->remove_lock`). */
async function unlock({ vmid }: Parameters, { callApi, etcPve }: PctHost): Promise<void> {
  await callApi("GET", `/nodes/pve/lxc/${vmid}/config`, {});
  const file = path.join(etcPve, "nodes/pve/lxc", `${vmid}.conf`);
  const [main = "", ...sections] = fs.readFileSync(file, "utf8").split(/^(?=\[)/m);
  fs.writeFileSync(`${file}.tmp`, [main.replace(/^lock:.*\n/m, ""), ...sections].join(""), { mode: 0o640 });
  fs.renameSync(`${file}.tmp`, file);
}

/** Plain values by key. */
function sortedEntries(values: Record<string, unknown>): [key: string, value: string][] {
  const isPlain = (value: unknown): value is string | number => ["string", "number"].includes(typeof value);
  return Object.keys(values)
    .sort()
    .flatMap((key) => (isPlain(values[key]) ? [[key, String(values[key])] as [string, string]] : []));
}

/** @throws Error with what `pct` would print before it ends with 255. */
export async function runPct(host: PctHost, [name = "", ...args]: readonly string[]): Promise<void> {
  const command = Object.hasOwn(commands, name) ? commands[name] : undefined;
  if (!command) {
    const known = [...Object.keys(commands), "exec", "enter"].sort().join("|");
    throw new Error(
      name
        ? `ERROR: unknown command 'pct ${name}'\nUSAGE: pct ${known}`
        : `ERROR: no command specified\nUSAGE: pct ${known}`,
    );
  }
  await command.run(parseOptions(args, command.words), host);
}
