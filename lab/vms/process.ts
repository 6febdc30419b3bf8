import * as fs from "node:fs";
import * as path from "node:path";
import { qemu } from "./qemuCommand";

/** Folder of the running machines' sockets and process numbers; `/run` disappears with the lab. */
export const runDir = "/run/qemu-server";

export function pidFile(vmid: number): string {
  return path.join(runDir, `${vmid}.pid`);
}

/**
 * Process number of a machine's QEMU; undefined if it does not run. The number may belong to another process by now, so
 * that process must be a QEMU that was started with this file.
 *
 * @param root the root of the Proxmox host, for callers outside of it.
 */
export function qemuPid(vmid: number, root = "/"): number | undefined {
  const file = pidFile(vmid);
  try {
    const pid = Number(fs.readFileSync(path.join(root, file), "utf8"));
    // Empty for a zombie.
    const [program = "", ...args] = fs.readFileSync(path.join(root, `proc/${pid}/cmdline`), "utf8").split("\0");
    return path.basename(program) === qemu && args.includes(file) ? pid : undefined;
  } catch {
    return undefined;
  }
}
