import { spawn } from "node:child_process";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { enterHost, firstServer, type LabGuest, labGuests } from "./guests";
import { quote } from "./kubeconfig";
import { run } from "../host/run";
import { Lab, labNetwork, labPaths, RunningLab } from "../lab";

/** Runs kubectl on the first running server, in a virtual machine by SSH, on the caller's standard streams. Returns its exit code. */
export async function kubectl(lab: RunningLab, args: readonly string[]): Promise<number> {
  const server = await firstServer(lab, await labGuests(lab));
  if (!server) throw new Error("No guest of the lab runs a K3s server: run pulumi up");
  const command = ["k3s", "kubectl", ...args];
  if (server.type === "qemu") return sshGuest(lab, server.name, command.map(quote));
  return handOver([...enterHost(lab.init), "pct", "exec", String(server.vmid), "--", ...command]);
}

/** SSH as root on the Proxmox host: a shell, or one command line. */
export function sshHost(lab: Lab, command: readonly string[]): Promise<number> {
  const paths = labPaths(lab.name);
  const { host } = labNetwork(lab.subnet);
  const pinned = ["-o", `UserKnownHostsFile=${paths.knownHosts}`, "-o", "StrictHostKeyChecking=yes"];
  return handOver(["ssh", ...sshOptions, "-i", paths.hostKey, ...pinned, `root@${host}`, ...command]);
}

/** SSH as root on a guest, given by name or VMID. Its host key is read inside the guest, not from the network. */
export async function sshGuest(lab: RunningLab, node: string, command: readonly string[]): Promise<number> {
  const guests = await labGuests(lab);
  const guest = guests.find(({ name, vmid }) => name === node || String(vmid) === node);
  if (!guest)
    throw new Error(`The lab has no guest '${node}'; it has: ${guests.map(({ name }) => name).join(", ") || "none"}`);
  if (guest.address === undefined) throw new Error(`${guest.name} has no fixed address`);
  const paths = labPaths(lab.name);
  const hostKey = await readHostKey(lab, guest);
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "lab-ssh-"));
  try {
    const knownHosts = path.join(folder, "known-hosts");
    fs.writeFileSync(knownHosts, `${guest.address} ${hostKey}`);
    const pinned = ["-o", `UserKnownHostsFile=${knownHosts}`, "-o", "StrictHostKeyChecking=yes"];
    return await handOver(["ssh", ...sshOptions, "-i", paths.nodeKey, ...pinned, `root@${guest.address}`, ...command]);
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
}

/** Reads it from a container's file system, or through a virtual machine's guest agent. */
async function readHostKey(lab: RunningLab, { vmid, type }: LabGuest): Promise<string> {
  const file = "etc/ssh/ssh_host_ed25519_key.pub";
  if (type === "lxc") return fs.readFileSync(path.join(labPaths(lab.name).lxc, String(vmid), "rootfs", file), "utf8");
  const read = [
    "pvesh",
    "get",
    `/nodes/pve/qemu/${vmid}/agent/file-read`,
    "--file",
    `/${file}`,
    "--output-format",
    "json",
  ];
  const [command = "", ...args] = [...enterHost(lab.init), ...read];
  return (JSON.parse(await run(command, args)) as { content: string }).content;
}

const sshOptions = [
  "-F",
  "none",
  "-o",
  "IdentitiesOnly=yes",
  "-o",
  "IdentityAgent=none",
  "-o",
  "HostKeyAlgorithms=ssh-ed25519",
  "-o",
  "LogLevel=ERROR",
];

/** The logs of the lab's host, or those whose name contains `name`. */
export function showLogs(lab: Lab, name: string | undefined, follow: boolean): Promise<number> {
  const { logs } = labPaths(lab.name);
  const all = fs
    .readdirSync(logs)
    .filter((file) => file.endsWith(".log"))
    .sort();
  const files = all.filter((file) => name === undefined || file.includes(name));
  if (files.length === 0)
    throw new Error(`No such log. The logs are: ${all.map((file) => path.basename(file, ".log")).join(", ")}`);
  return handOver([
    "tail",
    ...(follow ? ["-n", "200", "-F"] : ["-n", "+1"]),
    ...files.map((file) => path.join(logs, file)),
  ]);
}

/** Runs a command on the caller's standard streams and returns its exit code. */
function handOver([command, ...args]: readonly string[]): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(command!, args, { stdio: "inherit" });
    child.on("error", reject);
    child.on("exit", (code, signal) => resolve(code ?? 128 + (signal ? os.constants.signals[signal] : 0)));
  });
}
