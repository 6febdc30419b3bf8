import {
  configCommand,
  plainCommand,
  runCommand,
  sortedEntries,
  taskCommand,
  unlockCommand,
  type CommandHost,
  type CommandTable,
} from "./commandTable";
import { followTask, type Parameters } from "./pctApi";

/*
 * The part of the lab's `pct` that calls the API. Arguments and output are those of PVE/CLI/pct.pm.
 */

/** The host that `pct` runs on. */
export interface PctHost extends CommandHost {
  /** `pct push` and `pct pull`: `vmid`, `file` or `path`, `destination`, and their options. */
  readonly push: (parameters: Parameters) => Promise<void>;
  readonly pull: (parameters: Parameters) => Promise<void>;
}

const guest = ({ vmid }: Parameters) => `/nodes/pve/lxc/${vmid}`;
const below = (path: string) => (parameters: Parameters) => `${guest(parameters)}/${path}`;
const power = (action: string) => taskCommand("POST", below(`status/${action}`));

const commands: CommandTable<PctHost> = {
  list: { words: [], run: list },
  config: configCommand(below("config")),
  status: { words: ["vmid"], run: status },
  set: plainCommand("PUT", below("config")),
  create: {
    words: ["vmid", "ostemplate"],
    run: async (parameters, { callApi, print }) =>
      followTask(callApi, String(await callApi("POST", "/nodes/pve/lxc", parameters)), print),
  },
  clone: taskCommand("POST", below("clone"), ["vmid", "newid"]),
  resize: taskCommand("PUT", below("resize"), ["vmid", "disk", "size"]),
  start: power("start"),
  stop: power("stop"),
  shutdown: power("shutdown"),
  reboot: power("reboot"),
  destroy: taskCommand("DELETE", guest),
  unlock: unlockCommand("lxc", below("config")),
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

async function status(parameters: Parameters, { callApi, print }: PctHost): Promise<void> {
  const current = (await callApi("GET", `${guest(parameters)}/status/current`, {})) as Record<string, unknown>;
  const entries = sortedEntries(current);
  if (parameters["verbose"] !== "1") return print(`status: ${new Map(entries).get("status")}`);
  for (const [key, value] of entries) if (key !== "cpu") print(`${key}: ${value}`);
}

/** @throws Error with what `pct` would print before it ends with 255. */
export async function runPct(host: PctHost, words: readonly string[]): Promise<void> {
  await runCommand("pct", commands, host, words, ["exec", "enter"]);
}
