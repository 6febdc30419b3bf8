import * as fs from "node:fs";
import * as path from "node:path";
import { callApiAt, type CallApi } from "../../../lab/host/pctApi";
import { runPct } from "../../../lab/host/pctCommands";
import { runPvesh } from "../../../lab/host/pveshCommands";
import { runQm } from "../../../lab/host/qmCommands";
import type { SimulatedMachines } from "../simulatedMachines";
import type { CommandCall } from "./commands";

/** Doubles of the Proxmox host's commands, by name. */
export const HOST_COMMANDS = ["pct", "qm", "pvesh", "curl"];

export interface HostWorld {
  /** The host's root. */
  readonly root: string;
  readonly machines: SimulatedMachines;
  /** Socket on which the API serves root. */
  readonly apiSocket: string;
}

export async function answerOnHost(world: HostWorld, call: CommandCall): Promise<number | void> {
  if (call.name === "pct") return pct(world, call);
  if (call.name === "pvesh") return pvesh(world, call);
  return call.name === "qm" ? qm(world, call) : curl(world, call);
}

/** The lab's own `pvesh`. A folder of this machine is printed as the path on the simulated host. */
async function pvesh({ root, apiSocket }: HostWorld, call: CommandCall): Promise<void> {
  const callApi: CallApi = (...args) => callApiAt(apiSocket, ...args);
  const print = (line: string): void => call.print(`${line.replaceAll(`"${root}/`, '"/')}\n`);
  await runPvesh({ callApi, print }, call.args);
}

/** The lab's own `qm`, over the same API that the program calls. */
async function qm({ root, apiSocket }: HostWorld, call: CommandCall): Promise<void> {
  const callApi: CallApi = (...args) => callApiAt(apiSocket, ...args);
  const print = (line: string): void => call.print(`${line}\n`);
  await runQm({ callApi, etcPve: path.join(root, "etc/pve"), print, input: () => call.input() }, call.args);
}

/** `exec` and `push` work in a guest's root; everything else is the lab's own `pct`, over the same API that the program calls. */
async function pct(world: HostWorld, call: CommandCall): Promise<number | void> {
  const { machines, root } = world;
  if (call.args[0] === "exec") return exec(world, call);
  const callApi: CallApi = (...args) => callApiAt(world.apiSocket, ...args);
  const push = async ({ vmid, file, destination, perms = "0644" }: Readonly<Record<string, string>>): Promise<void> => {
    needRunning(world, vmid!);
    const target = path.join(machines.disk(Number(vmid)).root, destination!);
    fs.copyFileSync(path.join(root, file!), target);
    fs.chmodSync(target, parseInt(perms, 8));
  };
  const pull = (): Promise<void> => Promise.reject(new Error("the double of pct cannot pull a file"));
  const print = (line: string): void => call.print(`${line}\n`);
  await runPct({ callApi, etcPve: path.join(root, "etc/pve"), print, push, pull }, call.args);
}

/** `pct exec VMID [OPTION…] -- COMMAND…` */
function exec(world: HostWorld, call: CommandCall): void {
  const { args } = call;
  const command = args.indexOf("--") + 1;
  const vmid = args.slice(1, command).find((word) => /^\d+$/.test(word));
  if (command === 0 || vmid === undefined) throw new Error(`the double of pct does not know ${args.join(" ")}`);
  needRunning(world, vmid);
  call.become(command, path.join("/", path.relative(world.root, world.machines.disk(Number(vmid)).root)));
}

function needRunning({ root, machines }: HostWorld, vmid: string): void {
  if (!fs.existsSync(path.join(root, "etc/pve/lxc", `${vmid}.conf`)))
    throw new Error(`Configuration file 'nodes/pve/lxc/${vmid}.conf' does not exist`);
  if (!machines.isRunning(Number(vmid))) throw new Error(`container '${vmid}' not running!`);
}

/** The double downloads only one kind of file: the checksums of a release. */
function curl({ root }: HostWorld, { args }: CommandCall): void {
  const target = args[args.indexOf("-o") + 1]!;
  const [, arch] = /\/sha256sum-(\w+)\.txt$/.exec(args.at(-1)!) ?? [];
  if (arch === undefined) throw new Error(`the double of curl does not know ${args.join(" ")}`);
  const files = [arch === "amd64" ? "k3s" : `k3s-${arch}`, `k3s-airgap-images-${arch}.tar`];
  fs.writeFileSync(path.join(root, target), files.map((file) => `${"5a".repeat(32)}  ${file}\n`).join(""));
}
