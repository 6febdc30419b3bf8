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
 * The lab's `qm`, which calls the API. Arguments and output are those of PVE/CLI/qm.pm.
 */

/** The host that `qm` runs on. */
export interface QmHost extends CommandHost {
  /** All of the command's standard input. */
  readonly input: () => Promise<string>;
}

const guest = ({ vmid }: Parameters) => `/nodes/pve/qemu/${vmid}`;
const below = (path: string) => (parameters: Parameters) => `${guest(parameters)}/${path}`;
const power = (action: string) => taskCommand("POST", below(`status/${action}`));

const resize = taskCommand("PUT", below("resize"), ["vmid", "disk", "size"]);
const move = taskCommand("POST", below("move_disk"), ["vmid", "disk", "storage"]);

const commands: CommandTable<QmHost> = {
  list: { words: [], run: list },
  config: configCommand(below("config")),
  status: { words: ["vmid"], run: status },
  set: plainCommand("PUT", below("config")),
  create: {
    words: ["vmid"],
    run: async (parameters, { callApi, print }) =>
      followTask(callApi, String(await callApi("POST", "/nodes/pve/qemu", parameters)), print),
  },
  clone: taskCommand("POST", below("clone"), ["vmid", "newid"]),
  template: taskCommand("POST", below("template")),
  resize,
  "disk resize": resize,
  "move-disk": move,
  "disk move": move,
  start: power("start"),
  stop: power("stop"),
  shutdown: power("shutdown"),
  reboot: power("reboot"),
  reset: power("reset"),
  suspend: power("suspend"),
  resume: power("resume"),
  destroy: taskCommand("DELETE", guest),
  unlock: unlockCommand("qemu-server", below("config")),
  "cloudinit dump": {
    words: ["vmid", "type"],
    run: async (parameters, { callApi, print }) =>
      print(String(await callApi("GET", below("cloudinit/dump")(parameters), { type: parameters["type"]! }))),
  },
  "cloudinit update": plainCommand("PUT", below("cloudinit")),
  "guest cmd": { words: ["vmid", "command"], run: ask },
  agent: { words: ["vmid", "command"], run: ask },
  "guest exec": { words: ["vmid"], run: exec },
  "guest exec-status": {
    words: ["vmid", "pid"],
    run: async (parameters, host) => printResult(host, await outcome(parameters, host, Number(parameters["pid"]))),
  },
};

interface ListedVm {
  vmid: number;
  name: string;
  status: string;
  qmpstatus?: string;
  maxmem: number;
  maxdisk: number;
  pid?: number;
}

async function list(_: Parameters, { callApi, print }: QmHost): Promise<void> {
  const vms = (await callApi("GET", "/nodes/pve/qemu", {})) as ListedVm[];
  if (vms.length === 0) return;
  const line = (vmid: string, name: string, state: string, memory: string, disk: string, pid: string) =>
    print(
      [vmid.padStart(10), name.padEnd(20), state.padEnd(10), memory.padEnd(10), disk.padStart(12), pid.padEnd(10)].join(
        " ",
      ),
    );
  line("VMID", "NAME", "STATUS", "MEM(MB)", "BOOTDISK(GB)", "PID");
  for (const vm of vms.sort((a, b) => a.vmid - b.vmid)) {
    const { vmid, name, qmpstatus, maxmem, maxdisk, pid = 0 } = vm;
    const gibibytes = (maxdisk / 1024 ** 3).toFixed(2);
    line(String(vmid), name, qmpstatus ?? vm.status, String(maxmem / 1024 ** 2), gibibytes, String(pid));
  }
}

async function status(parameters: Parameters, { callApi, print }: QmHost): Promise<void> {
  const current = (await callApi("GET", below("status/current")(parameters), {})) as Record<string, unknown>;
  const entries = sortedEntries(current);
  if (parameters["verbose"] !== "1") return print(`status: ${new Map(entries).get("qmpstatus")}`);
  for (const [key, value] of entries) if (key !== "cpu") print(`${key}: ${value}`);
}

async function ask(parameters: Parameters, host: QmHost): Promise<void> {
  const { command = "" } = parameters;
  const { result } = (await host.callApi("POST", below("agent")(parameters), { command })) as { result: unknown };
  printResult(host, result);
}

/** How much of its standard input `qm` reads; the API accepts less. */
const maxInputBytes = 1024 * 1024;

/** Runs a command by the guest agent and waits for its end. The command's exit code is printed; `qm` does not exit with it. */
async function exec(parameters: Parameters, host: QmHost, command: readonly string[]): Promise<void> {
  const { callApi, input } = host;
  if (command.length === 0) throw new Error("400 not enough arguments");
  const typed = parameters["pass-stdin"] === "1" ? await input() : undefined;
  if (typed !== undefined && Buffer.byteLength(typed) > maxInputBytes)
    throw new Error("'input-data' (passed by stdin) is limited to 1 MiB, aborting");
  const { pid } = (await callApi("POST", below("agent/exec")(parameters), {
    command,
    ...(typed !== undefined && { "input-data": typed }),
  })) as { pid: number };
  if (parameters["synchronous"] === "0") return printResult(host, { pid });
  const seconds = Number(parameters["timeout"] ?? 30);
  for (const deadline = Date.now() + (seconds || Infinity) * 1000; Date.now() < deadline;) {
    const result = await outcome(parameters, host, pid);
    if (result["exited"] === 1) return printResult(host, result);
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  printResult(host, { pid });
}

async function outcome(parameters: Parameters, { callApi }: QmHost, pid: number): Promise<Record<string, unknown>> {
  const path = below("agent/exec-status")(parameters);
  return (await callApi("GET", path, { pid: String(pid) })) as Record<string, unknown>;
}

/** JSON as Perl writes it for people; nothing for an empty answer. */
function printResult({ print }: QmHost, result: unknown): void {
  if (result === null || result === undefined || result === "") return;
  if (typeof result !== "object") return print(JSON.stringify(result).replace(/^"|"$/g, ""));
  if (Object.keys(result).length === 0) return;
  print(JSON.stringify(result, sortedKeys, 3).replace(/^(\s*"(?:[^"\\]|\\.)*"):/gm, "$1 :"));
}

function sortedKeys(_: string, value: unknown): unknown {
  if (value === null || typeof value !== "object" || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** @throws Error with what `qm` would print before it ends with 255. */
export async function runQm(host: QmHost, words: readonly string[]): Promise<void> {
  await runCommand("qm", commands, host, words);
}
