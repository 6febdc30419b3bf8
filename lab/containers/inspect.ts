import * as fs from "node:fs";
import { run } from "../host/run";
import type { GuestInterface } from "../pve/driver";

/** Clock ticks a second in `/proc/<pid>/stat`: USER_HZ, 100 on every architecture that Linux still runs on. */
const userHz = 100;

/** Seconds since a process started; 0 for one that has ended. */
export function processUptime(pid: number): number {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, "utf8");
    const started = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19]) / userHz;
    return Math.max(0, Number(fs.readFileSync("/proc/uptime", "utf8").split(" ")[0]) - started);
  } catch {
    return 0;
  }
}

interface IpAddressEntry {
  ifname: string;
  address?: string;
  addr_info: { family: string; local: string; prefixlen: number }[];
}

/** Network interfaces of the container whose init is `pid`; empty if it ends meanwhile. */
export async function guestInterfaces(pid: number): Promise<GuestInterface[]> {
  const output = await run("nsenter", ["--net", `--target=${pid}`, "ip", "-json", "address"]).catch(() => "[]");
  return (JSON.parse(output) as IpAddressEntry[])
    .filter((entry) => entry.address !== undefined)
    .map((entry) => {
      const first = (family: string) => {
        const found = entry.addr_info.find((info) => info.family === family);
        return found && `${found.local}/${found.prefixlen}`;
      };
      const [inet, inet6] = [first("inet"), first("inet6")];
      return { name: entry.ifname, hwaddr: entry.address!, ...(inet && { inet }), ...(inet6 && { inet6 }) };
    });
}
