import * as fs from "node:fs";
import * as path from "node:path";
import { qemu } from "./qemuCommand";

/** Where the sockets and process numbers of the machines that run are; `/run` is gone when the lab has ended. */
export const runDir = "/run/qemu-server";

export function pidFile(vmid: number): string {
  return path.join(runDir, `${vmid}.pid`);
}

/**
 * Process number of a machine's QEMU; undefined if it does not run. A number alone proves nothing: the process that has
 * it must be a QEMU which wrote it into this file.
 *
 * @param root the root of the Proxmox host, for who looks from outside of it.
 */
export function qemuPid(vmid: number, root = "/"): number | undefined {
  const file = pidFile(vmid);
  try {
    const pid = Number(fs.readFileSync(path.join(root, file), "utf8"));
    // Of one that has ended and is not yet waited for, it is empty.
    const [program = "", ...args] = fs.readFileSync(path.join(root, `proc/${pid}/cmdline`), "utf8").split("\0");
    return path.basename(program) === qemu && args.includes(file) ? pid : undefined;
  } catch {
    return undefined;
  }
}
