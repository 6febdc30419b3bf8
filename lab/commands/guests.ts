import * as fs from "node:fs";
import * as path from "node:path";
import { guestNetworks } from "../containers/network";
import { Lab, labPaths, ProcessId, RunningLab } from "../lab";
import { run } from "../host/run";
import { parseGuestConfig } from "../pve/guestConfig";

/** A guest of the lab, as its configuration and LXC show it. */
export interface LabGuest {
  readonly vmid: number;
  readonly name: string;
  readonly status: "running" | "stopped";
  readonly tags: readonly string[];
  /** Started with the host. */
  readonly onBoot: boolean;
  /** First fixed address, without the prefix length. */
  readonly address?: string;
}

/**
 * The command that enters the lab's Proxmox host, to be followed by the command to run there. The person's environment
 * is not passed on: `pct exec` would pass it into guests, where our KUBECONFIG does not exist.
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
    // A folder that nsenter is given is the machine's own.
    ...["env", "--chdir=/root"],
  ];
}

/** All guests by VMID, read from the files: true even while the API is down. */
export async function labGuests(lab: RunningLab): Promise<LabGuest[]> {
  const folder = path.join(labPaths(lab.name).etcPve, "nodes/pve/lxc");
  const files = fs.existsSync(folder) ? fs.readdirSync(folder).filter((file) => /^\d+\.conf$/.test(file)) : [];
  const running = await runningContainers(lab.init);
  return files
    .map((file) => {
      const vmid = parseInt(file, 10);
      const config = parseGuestConfig(fs.readFileSync(path.join(folder, file), "utf8"));
      const address = guestNetworks(config)
        .find((net) => net.ip)
        ?.ip?.replace(/\/.*$/, "");
      return {
        vmid,
        name: config.options.get("hostname") ?? `CT${vmid}`,
        status: running.has(vmid) ? ("running" as const) : ("stopped" as const),
        tags: (config.options.get("tags") ?? "").split(";").filter(Boolean),
        onBoot: config.options.get("onboot") === "1",
        ...(address !== undefined && { address }),
      };
    })
    .sort((a, b) => a.vmid - b.vmid);
}

/** The first guest on which a K3s server has written its kubeconfig. */
export function firstServer(lab: Lab, guests: readonly LabGuest[]): LabGuest | undefined {
  return guests.find((guest) => guest.status === "running" && fs.existsSync(adminKubeconfig(lab, guest.vmid)));
}

/** `/etc/rancher/k3s/k3s.yaml` of a guest, seen from the machine. */
export function adminKubeconfig(lab: Lab, vmid: number): string {
  return path.join(labPaths(lab.name).lxc, String(vmid), "rootfs/etc/rancher/k3s/k3s.yaml");
}

async function runningContainers(init: ProcessId): Promise<Set<number>> {
  const [command, ...args] = [...enterHost(init), "lxc-ls", "--running", "-1"];
  return new Set((await run(command, args)).split(/\s+/).filter(Boolean).map(Number));
}
