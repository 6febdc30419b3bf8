import { randomBytes } from "node:crypto";
import type { ContainerDriver } from "../../../lab/pve/driver";
import type { SimulatedMachines } from "../simulatedMachines";
import type { VmRoots } from "../vmRoots";
import type { CommandCall } from "./commands";
import { answerInNixos } from "./nixosGuest";
import { kubectl } from "./kubectl";
import type { SimulatedClusters } from "./simulatedCluster";

/** Names of a guest's commands that are doubles; all other commands that the host's scripts run there are real. */
export const GUEST_COMMANDS = [
  ...["k3s", "systemctl", "ip", "sshd", "ssh-keygen", "journalctl", "nft", "systemd-run"],
  // On virtual machines.
  ...["cloud-init", "findmnt", "resize2fs", "systemd-machine-id-setup"],
  // On machines with NixOS, where the scripts for nodes run: the real commands would read this machine's network and kernel.
  ...["hostname", "nix-env", "bash", "curl", "ss", "modprobe"],
];

export interface GuestWorld {
  readonly vmid: number;
  readonly machines: SimulatedMachines;
  /** Shows the guests' interfaces. */
  readonly driver: ContainerDriver;
  readonly clusters: SimulatedClusters;
  readonly vms: VmRoots;
}

export async function answerInGuest(world: GuestWorld, call: CommandCall): Promise<number> {
  if (world.machines.disk(world.vmid).isNixos) {
    const answer = answerInNixos(world, call);
    if (answer) return answer;
  }
  switch (call.name) {
    case "k3s":
      return k3s(world, call);
    case "systemctl":
      return systemctl(world, call);
    case "ip":
      return ip(world, call);
    case "nft":
      return nft(world, call);
    case "cloud-init":
      call.print(`status: ${world.vms.cloudInit(world.vmid)}\n`);
      return 0;
    case "findmnt":
      call.print("/dev/sda1 ext4\n");
      return 0;
    case "resize2fs":
      world.vms.grown.push(world.vmid);
      return 0;
    case "systemd-machine-id-setup":
      world.machines.disk(world.vmid).write("etc/machine-id", `${randomBytes(16).toString("hex")}\n`);
      return 0;
    default:
      // sshd's configuration is valid, a systemd timer never fires, a host key exists, and the journal is empty.
      return 0;
  }
}

/** The guest's table of the packet filter is the last loaded text. tests/scripts/firewall.test.ts loads real rules. */
async function nft({ vmid, machines }: GuestWorld, { args }: CommandCall): Promise<number> {
  const disk = machines.disk(vmid);
  const [first, second] = args;
  if (first === "list") return disk.firewall === undefined ? 1 : 0;
  if (first === "-c") return 0;
  await machines.record(vmid, "firewall", () => {
    disk.firewall = first === "delete" ? undefined : disk.read(second!.replace(/^\//, ""));
    return Promise.resolve();
  });
  return 0;
}

async function k3s({ vmid, machines, clusters }: GuestWorld, call: CommandCall): Promise<number> {
  if (call.args[0] !== "kubectl") throw new Error(`the double of k3s does not know ${call.args.join(" ")}`);
  const startedAt = (name: string): number | undefined => {
    const k3s = clusters.running(vmid);
    const node = k3s && clusters.machineOf(k3s.caHash, name);
    return node && machines.startedAt(node.vmid);
  };
  return kubectl({ vmid, clusters, startedAt }, call);
}

/** K3s' two units are simulated; every other unit exists, is enabled and is active. */
function systemctl({ vmid, machines, clusters }: GuestWorld, call: CommandCall): number {
  const { args } = call;
  const disk = machines.disk(vmid);
  const [verb = "", ...units] = args.filter((word) => !word.startsWith("-"));
  const own = units.map((unit) => unit.replace(/\.service$/, "")).filter((unit) => /^k3s(-agent)?$/.test(unit));
  switch (verb) {
    case "is-enabled":
      return own.every((unit) => disk.isEnabled(unit)) ? 0 : 1;
    case "is-active": {
      // As in systemctl, one active unit is enough.
      const isActive = own.length === 0 || own.some((unit) => disk.isEnabled(unit) && disk.hasK3sUp);
      if (!args.some((word) => /^(-q|--quiet)$/.test(word))) call.print(isActive ? "active\n" : "inactive\n");
      return isActive ? 0 : 3;
    }
    case "disable":
      for (const unit of own) disk.disable(unit);
      return 0;
    case "stop":
      if (own.length > 0) disk.endK3s();
      return 0;
    case "start":
    case "restart":
      if (own.length > 0) disk.restartK3s();
      if (own.length > 0 && disk.k3s && clusters.running(vmid)) clusters.register(disk.k3s);
      return 0;
    default:
      return 0;
  }
}

async function ip({ vmid, driver, vms }: GuestWorld, call: CommandCall): Promise<number> {
  // Without a route the scripts do not look for the gateway's MAC address; there is no gateway.
  if (call.args.includes("route")) return 0;
  const interfaces = vms.guests.has(vmid) ? vms.interfaces(vmid) : await driver.interfaces(vmid);
  for (const [at, { name, inet }] of interfaces.entries())
    if (inet !== undefined) call.print(`${at + 1}: ${name}    inet ${inet} scope global ${name}\n`);
  return 0;
}
