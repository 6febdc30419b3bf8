import { spawn } from "node:child_process";
import * as fs from "node:fs";
import { Readable, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import type { Parameters } from "./pctApi";

/*
 * `pct push` and `pct pull`. A process in the guest's namespaces opens the file in the guest, so that a link there cannot
 * lead into the host's files, and user names are the guest's.
 */

/**
 * Sets owner and mode while the file is still empty. A new file has no permissions until then, so that nobody else can
 * read what is meant for root. $1 file, $2 mode or empty, $3 owner or empty, $4 group or empty.
 */
const receive = `set -eu
if [ ! -e "$1" ]; then ( umask 0777; : >"$1" ); mode=\${2:-0644}; else mode=$2; fi
if [ -n "$mode" ]; then chmod "$mode" "$1"; fi
if [ -n "$3" ]; then chown "$3" "$1"; fi
if [ -n "$4" ]; then chgrp "$4" "$1"; fi
exec cat >"$1"`;

export async function push(parameters: Parameters): Promise<void> {
  const { vmid, file, destination, user = "", group = "" } = parameters as Record<string, string>;
  assertRunning(vmid!, `can only push files to a running CT`);
  const source = open(file!, fs.constants.O_RDONLY, `failed to open ${file} for reading`);
  const from = fs.createReadStream("", { fd: source });
  await attach(vmid!, ["sh", "-c", receive, "sh", destination!, mode(parameters), user, group], { from });
}

export async function pull(parameters: Parameters): Promise<void> {
  const { vmid, path, destination, user, group } = parameters as Record<string, string>;
  assertRunning(vmid!, `can only pull files from a running VM`);
  const isNew = !fs.existsSync(destination!);
  const flags = fs.constants.O_WRONLY | fs.constants.O_CREAT | fs.constants.O_TRUNC;
  const target = open(destination!, flags, `failed to create file: ${destination}`, 0);
  const perms = mode(parameters) || (isNew ? "0644" : "");
  if (perms) fs.fchmodSync(target, parseInt(perms, 8));
  if (user !== undefined || group !== undefined) {
    const { uid, gid } = fs.fstatSync(target);
    fs.fchownSync(
      target,
      user === undefined ? uid : id("passwd", user),
      group === undefined ? gid : id("group", group),
    );
  }
  await attach(vmid!, ["cat", "--", path!], { to: fs.createWriteStream("", { fd: target }) });
}

/** Mode as octal digits: PVE takes octal, or hexadecimal after `0x`. */
function mode({ perms }: Parameters): string {
  if (perms === undefined) return "";
  if (!/^(0x[0-9a-f]+|[0-7]+)$/i.test(perms)) throw new Error(`invalid mode: '${perms}'`);
  return `0${(/^0x/i.test(perms) ? parseInt(perms, 16) : parseInt(perms, 8)).toString(8)}`;
}

function id(kind: "passwd" | "group", name: string): number {
  if (/^\d+$/.test(name)) return Number(name);
  const line = fs
    .readFileSync(`/etc/${kind}`, "utf8")
    .split("\n")
    .find((entry) => entry.startsWith(`${name}:`));
  if (!line) throw new Error(`failed to get ${kind === "passwd" ? "uid" : "gid"} for: ${name}`);
  return Number(line.split(":")[2]);
}

function open(file: string, flags: number, problem: string, fileMode?: number): number {
  try {
    return fs.openSync(file, flags, fileMode);
  } catch (error) {
    throw new Error(`${problem}: ${(error as Error).message}`);
  }
}

function assertRunning(vmid: string, problem: string): void {
  if (!/^\d+$/.test(vmid) || !fs.existsSync(`/etc/pve/lxc/${vmid}.conf`)) {
    throw new Error(`Configuration file 'nodes/pve/lxc/${vmid}.conf' does not exist`);
  }
  // A running container has a monitor with this command socket.
  if (!fs.readFileSync("/proc/net/unix", "utf8").includes(`@/var/lib/lxc/${vmid}/command`)) throw new Error(problem);
}

/**
 * Runs a command in the guest. Files are copied through pipes: lxc-attach would change the mode of a file that is its
 * standard input or output to 0700.
 */
async function attach(
  vmid: string,
  command: readonly string[],
  { from, to }: { from?: Readable; to?: Writable },
): Promise<void> {
  const child = spawn("lxc-attach", ["-n", vmid, "--clear-env", "--", ...command], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const ended = new Promise<number | null>((resolve, reject) => child.on("error", reject).on("close", resolve));
  const copied = from ? pipeline(from, child.stdin) : (child.stdin.end(), pipeline(child.stdout, to!));
  // If the command fails, the pipe breaks too; the exit code is the better error.
  const [code] = await Promise.all([ended, copied.catch(() => {})]);
  if (code !== 0) throw new Error(`copying failed with exit code ${code}`);
}
