import * as fs from "node:fs";
import * as path from "node:path";
import { guestNetworks } from "../containers/network";
import { Lab, labPaths, ProcessId, RunningLab } from "../lab";
import { CommandError, run } from "../host/run";
import { parseGuestConfig, type GuestConfig } from "../pve/guestConfig";
import { guestKinds, type GuestKind } from "../pve/guests/kinds";
import { qemuPid } from "../vms/process";

/** How long a command in a guest may take; an emulated processor is slow. */
const answerMs = 60_000;

/** A guest of the lab, as its configuration and its processes show it. */
export interface LabGuest {
  readonly vmid: number;
  readonly type: GuestKind["type"];
  readonly name: string;
  readonly status: "running" | "stopped";
  readonly tags: readonly string[];
  /** Started with the host. */
  readonly onBoot: boolean;
  /** First fixed address, without the prefix length. */
  readonly address?: string;
}

/**
 * The command that enters the lab's Proxmox host; append the command to run there. The person's environment is not
 * passed on: `pct exec` would pass it into guests, where our KUBECONFIG does not exist.
 */
export function enterHost(init: ProcessId): string[] {
  const env = ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "LANG=C.UTF-8"];
  const namespaces = ["--mount", "--net", "--pid", "--uts", "--ipc", "--root"];
  return [
    "env",
    "-i",
    ...env,
    `TERM=${process.env["TERM"] ?? "dumb"}`,
    "nsenter",
    `--target=${init.pid}`,
    ...namespaces,
    // Not by nsenter's `--wd`, which takes a folder of the machine.
    ...["env", "--chdir=/root"],
  ];
}

/** All guests by VMID, without templates. Read from the files, so it works even if the API is down. */
export async function labGuests(lab: RunningLab): Promise<LabGuest[]> {
  const containers = await runningContainers(lab.init);
  const isRunning = ({ type }: GuestKind, vmid: number) =>
    type === "lxc" ? containers.has(vmid) : qemuPid(vmid, `/proc/${lab.init.pid}/root`) !== undefined;
  return guestKinds
    .flatMap((kind) =>
      configs(lab, kind).map(([vmid, config]) => {
        const { options } = config;
        const address = fixedAddress(config);
        return {
          ...{ vmid, type: kind.type, name: options.get("hostname") ?? options.get("name") ?? `${kind.label}${vmid}` },
          status: isRunning(kind, vmid) ? ("running" as const) : ("stopped" as const),
          tags: (options.get("tags") ?? "").split(";").filter(Boolean),
          onBoot: options.get("onboot") === "1",
          ...(address !== undefined && { address }),
        };
      }),
    )
    .sort((a, b) => a.vmid - b.vmid);
}

function configs(lab: Lab, { folder, syntax }: GuestKind): [vmid: number, config: GuestConfig][] {
  const at = path.join(labPaths(lab.name).etcPve, "nodes/pve", folder);
  const files = fs.existsSync(at) ? fs.readdirSync(at).filter((file) => /^\d+\.conf$/.test(file)) : [];
  return files
    .map((file): [number, GuestConfig] => [
      parseInt(file, 10),
      parseGuestConfig(fs.readFileSync(path.join(at, file), "utf8"), () => {}, syntax),
    ])
    .filter(([, { options }]) => options.get("template") !== "1");
}

/** The address in a container's network config, or in a virtual machine's cloud-init config. */
function fixedAddress(config: GuestConfig): string | undefined {
  const ofVm = [...config.options].filter(([key]) => /^ipconfig\d+$/.test(key)).map(([, text]) => text);
  const addresses = [
    ...guestNetworks(config).map(({ ip }) => ip),
    ...ofVm.map((text) => /(?:^|,)ip=([\d.]+\/\d+)/.exec(text)?.[1]),
  ];
  return addresses.find((address) => address !== undefined)?.replace(/\/.*$/, "");
}

/** Where a K3s server writes its kubeconfig. */
const kubeconfig = "etc/rancher/k3s/k3s.yaml";

/** The first guest on which a K3s server has written its kubeconfig. */
export async function firstServer(lab: RunningLab, guests: readonly LabGuest[]): Promise<LabGuest | undefined> {
  for (const guest of guests) if (guest.status === "running" && (await isServer(lab, guest))) return guest;
  return undefined;
}

async function isServer(lab: RunningLab, guest: LabGuest): Promise<boolean> {
  if (guest.type === "lxc")
    return fs.existsSync(path.join(labPaths(lab.name).lxc, String(guest.vmid), "rootfs", kubeconfig));
  return inGuest(lab, guest, ["test", "-e", `/${kubeconfig}`]).then(
    () => true,
    () => false,
  );
}

/** Runs a command in a guest by `pct exec` or the guest agent and returns what it prints. @throws CommandError */
export async function inGuest(
  { init }: RunningLab,
  { vmid, type }: Pick<LabGuest, "vmid" | "type">,
  command: readonly string[],
): Promise<string> {
  const [enter = "", ...host] = enterHost(init);
  if (type === "lxc")
    return run(enter, [...host, "pct", "exec", String(vmid), "--", ...command], { timeout: answerMs });
  const exec = ["qm", "guest", "exec", String(vmid), "--timeout", String(answerMs / 1000), "--", ...command];
  const answer = JSON.parse(await run(enter, [...host, ...exec])) as Record<string, string | number | undefined>;
  const { exitcode, "out-data": output = "", "err-data": error = "" } = answer;
  if (exitcode !== 0) throw new CommandError(command.join(" "), Number(exitcode), String(output), String(error));
  return String(output);
}

async function runningContainers(init: ProcessId): Promise<Set<number>> {
  const [command, ...args] = [...enterHost(init), "lxc-ls", "--running", "-1"];
  return new Set((await run(command, args)).split(/\s+/).filter(Boolean).map(Number));
}
