import * as fs from "node:fs";
import * as path from "node:path";
import type { GuestConfig, RawLine } from "../pve/guestConfig";

const root = "/sys/fs/cgroup";
const mebibyte = 1024 ** 2;

/** Limits of a guest as lines for cgroup version 2, computed as `PVE::LXC::update_lxc_config` does. */
export function limitLines({ options }: GuestConfig): RawLine[] {
  const mebibytes = Number(options.get("memory") ?? 512);
  const lines: RawLine[] = [
    ["lxc.cgroup2.memory.max", String(mebibytes * mebibyte)],
    // Throttled from 1016/1024 of the hard limit on, at most 128 MiB below it (calculate_memory_constraints).
    ["lxc.cgroup2.memory.high", String(mebibytes >= 16384 ? (mebibytes - 128) * mebibyte : mebibytes * 1024 * 1016)],
    ["lxc.cgroup2.memory.swap.max", String(Number(options.get("swap") ?? 0) * mebibyte)],
  ];
  const cpuLimit = Number(options.get("cpulimit") ?? 0);
  if (cpuLimit > 0) lines.push(["lxc.cgroup2.cpu.max", `${Math.trunc(cpuLimit * 100_000)} 100000`]);
  const units = options.get("cpuunits");
  if (units !== undefined) lines.push(["lxc.cgroup2.cpu.weight", units]);
  return lines;
}

/**
 * A line for cgroup version 2 as lines for version 1, where LXC ignores it: the same settings under their old names.
 *
 * Settings without a counterpart (`memory.high`, pressure, …) give none. Nor does swap, which version 1 can limit only
 * together with memory.
 */
export function v1Twin([key, value]: RawLine): RawLine[] {
  const setting = key.replace(/^lxc\.cgroup2\./, "");
  if (setting === key) return [];
  const line = (name: string, text: string): RawLine => [`lxc.cgroup.${name}`, text];
  switch (setting) {
    case "memory.max":
      return [line("memory.limit_in_bytes", value === "max" ? "-1" : value)];
    case "cpu.max": {
      const [quota = "max", period = "100000"] = value.split(" ");
      return [line("cpu.cfs_period_us", period), line("cpu.cfs_quota_us", quota === "max" ? "-1" : quota)];
    }
    case "cpu.weight":
      // The default is 100 in version 2 and 1024 in version 1.
      return [line("cpu.shares", String(Math.max(2, Math.round((Number(value) * 1024) / 100))))];
    default:
      return /^(devices|cpuset|pids|freezer)\./.test(setting) ? [line(setting, value)] : [];
  }
}

/** What the kernel has counted for the processes of one cgroup. */
export interface Usage {
  memBytes: number;
  /** CPU time used so far. */
  cpuSeconds: number;
}

/** Zero if the cgroup does not exist. */
export function usage(cgroup: string, cgroupV1: boolean): Usage {
  if (cgroupV1) {
    const memory = readStat("memory", cgroup, "memory.stat").get("total_inactive_file") ?? 0;
    return {
      memBytes: Math.max(0, readNumber("memory", cgroup, "memory.usage_in_bytes") - memory),
      cpuSeconds: readNumber("cpuacct", cgroup, "cpuacct.usage") / 1e9,
    };
  }
  const cached = readStat("", cgroup, "memory.stat").get("inactive_file") ?? 0;
  return {
    memBytes: Math.max(0, readNumber("", cgroup, "memory.current") - cached),
    cpuSeconds: (readStat("", cgroup, "cpu.stat").get("usage_usec") ?? 0) / 1e6,
  };
}

function read(controller: string, cgroup: string, file: string): string {
  try {
    return fs.readFileSync(path.join(root, controller, cgroup, file), "utf8");
  } catch {
    return "";
  }
}

function readNumber(controller: string, cgroup: string, file: string): number {
  return Number(read(controller, cgroup, file).trim() || 0);
}

function readStat(controller: string, cgroup: string, file: string): Map<string, number> {
  const lines = read(controller, cgroup, file).split("\n");
  return new Map(lines.map((line) => line.split(" ")).map(([key = "", value]) => [key, Number(value)]));
}

/**
 * Applies a line of LXC's configuration to a running container. Lines of the other version are ignored.
 *
 * It writes to the container's own cgroup: `lxc-cgroup` would write to the one below it, which the guest can change.
 */
export function setLimit(cgroup: string, cgroupV1: boolean, [key, value]: RawLine): void {
  const match = (cgroupV1 ? /^lxc\.cgroup\.((\w+)\..*)$/ : /^lxc\.cgroup2\.((\w+)\..*)$/).exec(key);
  if (match) fs.writeFileSync(path.join(root, cgroupV1 ? match[2]! : "", cgroup, match[1]!), value);
}

/** Moves a process into its own cgroup, where its usage is counted. On version 1 only in the hierarchies that {@link usage} reads. */
export function enterCgroup(cgroup: string, cgroupV1: boolean, pid: number): void {
  for (const controller of cgroupV1 ? ["cpu", "cpuacct", "memory"] : [""]) {
    const folder = path.join(root, controller, cgroup);
    fs.mkdirSync(folder, { recursive: true });
    fs.writeFileSync(path.join(folder, "cgroup.procs"), String(pid));
  }
}

/** Removes a cgroup with all below it from every hierarchy. Their processes must have ended. */
export function removeCgroup(name: string): void {
  for (const hierarchy of [".", ...fs.readdirSync(root)]) removeTree(path.join(root, hierarchy, name));
}

function removeTree(folder: string): void {
  if (!fs.existsSync(folder)) return;
  for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
    if (entry.isDirectory()) removeTree(path.join(folder, entry.name));
  }
  fs.rmdirSync(folder);
}
