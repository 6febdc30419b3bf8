import * as fs from "node:fs";
import * as path from "node:path";

import type { SimulatedMachines } from "../simulatedMachines";
import type { VmRoots } from "../vmRoots";
import type { CommandCall } from "./commands";
import { k3sOn } from "./nodeScripts";
import type { SimulatedClusters } from "./simulatedCluster";
import type { SimulatedDisk } from "./simulatedDisk";

/*
 * A double of NixOS on a simulated machine: a Nix store of a few files, the doubles of nixos-rebuild and of nixpkgs
 * (doubles/nixos), and the commands that differ there. The program's own scripts run in it, including those for the node. Links
 * are those of the machine's root.
 */

const DOUBLES = path.join(__dirname, "nixos");
const TEMPLATE = "nix/store/template";
const PROFILE = "nix/var/nix/profiles/system";
const RUNNING = "run/current-system";
const KERNEL_NAME = "kernel-hostname";
const JOURNAL = "run/k3s-journal";

/** Writes the system of the template. @param release the K3s version in its nixpkgs */
export function putNixos(disk: SimulatedDisk, release = "1.36.3+k3s1"): void {
  const script = (file: string, text: string): void => {
    disk.write(file, `#!/bin/sh\n${text}\n`);
    fs.chmodSync(path.join(disk.root, file), 0o755);
  };
  for (const folder of ["nix/store/double", "nix/units", "nix/var/nix/gcroots", "etc/systemd/system"])
    fs.mkdirSync(path.join(disk.root, folder), { recursive: true });
  for (const file of fs.readdirSync(DOUBLES))
    fs.copyFileSync(path.join(DOUBLES, file), path.join(disk.root, "nix/store/double", file));
  disk.write("etc/NIXOS", "");
  disk.write("etc/nixos/configuration.nix", '{ boot.loader.grub.device = "/dev/sda"; }\n');
  disk.write("etc/set-environment", "export PATH=$PATH:/run/current-system/sw/bin\n");
  disk.write("k3s-release", release);
  disk.write(KERNEL_NAME, "nixos\n");
  disk.write(`${TEMPLATE}/etc/hostname`, "nixos\n");
  fs.mkdirSync(path.join(disk.root, TEMPLATE, "bin"));
  fs.copyFileSync(
    path.join(DOUBLES, "switch-double.sh"),
    path.join(disk.root, TEMPLATE, "bin/switch-to-configuration"),
  );
  script(`${TEMPLATE}/sw/bin/nixos-rebuild`, 'exec /nix/store/double/nixos-rebuild-double.sh "$@"');
  script(`${TEMPLATE}/sw/bin/nixos-version`, "echo double");
  script(
    `${TEMPLATE}/sw/bin/nixos-generate-config`,
    `echo '{ fileSystems."/".device = "/dev/disk/by-uuid/0"; }'; echo generated >>/hardware`,
  );
  link(disk, PROFILE, `/${TEMPLATE}`);
}

/** Files that such a machine needs besides those of other guests: K3s' commands, its host name, and units that it cannot write. */
export const nixosFiles = (disk: SimulatedDisk, commands: string): Readonly<Record<string, string>> => ({
  "/usr/local/bin": commands,
  "/proc/sys/kernel/hostname": path.join(disk.root, KERNEL_NAME),
  "/etc/systemd/system": path.join(disk.root, "nix/units"),
});

/** Boots with the system of the profile; only then the machine has that system's host name. */
export function bootNixos(disk: SimulatedDisk): void {
  const system = fs.readlinkSync(path.join(disk.root, PROFILE));
  link(disk, RUNNING, system);
  // Write in place: a new file would not be the mounted one.
  disk.write(KERNEL_NAME, disk.read(`${system}/etc/hostname`)!);
  place(disk, `${system}/etc/rancher/k3s/config.yaml`, "etc/rancher/k3s/config.yaml");
  place(disk, `${system}/etc/systemd/system/k3s.service`, "nix/units/k3s.service");
}

/** Name of the running system, or of the one for the next boot, in the store. */
export const systemOf = (disk: SimulatedDisk, at: "runs" | "boots"): string =>
  path.basename(fs.readlinkSync(path.join(disk.root, at === "runs" ? RUNNING : PROFILE)));

/** Whether the test has broken the network of the running system. */
export const isOutOfReach = (disk: SimulatedDisk): boolean =>
  disk.isNixos && disk.has(`nix/store/${systemOf(disk, "runs")}/out-of-reach`);

interface NixosWorld {
  readonly vmid: number;
  readonly machines: SimulatedMachines;
  readonly clusters: SimulatedClusters;
  readonly vms: VmRoots;
}

/** Answers the commands that differ from those in other guests; undefined for all other commands. */
export function answerInNixos(world: NixosWorld, call: CommandCall): Promise<number> | undefined {
  const disk = world.machines.disk(world.vmid);
  const { name, args } = call;
  switch (name) {
    case "hostname":
      call.print(disk.read(KERNEL_NAME)!);
      return ok;
    case "k3s":
      if (args[0] !== "--version") return undefined;
      call.print(`k3s version v${disk.read(`nix/store/${systemOf(disk, "runs")}/k3s-release`)} (double)\n`);
      return ok;
    case "bash":
      // -c 'exec 3<>"/dev/tcp/$1/$2"' bash ADDRESS PORT: whether a server listens there
      return Promise.resolve(world.clusters.running(world.machines.at(args[3] ?? ""))?.role === "server" ? 0 : 1);
    case "nix-env":
      // --profile PROFILE --set SYSTEM
      link(disk, args[1]!, args[3]!);
      return ok;
    case "ip":
      // A route without a gateway, so that no packet is sent to one.
      if (!args.includes("route")) return undefined;
      call.print("default dev eth0\n");
      return ok;
    case "journalctl":
      if (!args.includes("--show-cursor")) call.print(disk.read(JOURNAL) ?? "");
      return ok;
    case "systemd-run":
      // A unit without a timer runs at once; a timer never fires.
      if (!args.some((word) => word.startsWith("--on-active")))
        void world.vms.run(world.vmid, args.slice(args.findIndex((word) => word.startsWith("/"))));
      return ok;
    case "systemctl":
      return systemctl(world, call, disk);
    default:
      return undefined;
  }
}

const ok = Promise.resolve(0);

function systemctl(world: NixosWorld, call: CommandCall, disk: SimulatedDisk): Promise<number> | undefined {
  const [verb = "", unit = ""] = call.args.filter((word) => !word.startsWith("-"));
  if (verb === "disable" || verb === "enable") {
    call.complain(`Failed to ${verb} unit: File system is read-only\n`);
    return Promise.resolve(1);
  }
  if (call.args.includes("NRestarts")) {
    call.print("0\n");
    return ok;
  }
  // A switch back to the former system is never running.
  if (verb === "is-active" && unit === "proxmox-k3s-back.service") return Promise.resolve(3);
  if (!/^k3s(-agent)?$/.test(unit)) return undefined;
  return verb === "start" || verb === "restart" ? startK3s(world, disk) : undefined;
}

/** Starts K3s with the running system's files and the tokens. Without a token the condition of its unit fails. */
async function startK3s({ vmid, machines, clusters }: NixosWorld, disk: SimulatedDisk): Promise<number> {
  const token = disk.read("etc/rancher/k3s/token")?.trim();
  if (token === undefined) return 0;
  await machines.record(vmid, "k3s", async () => {
    const system = `nix/store/${systemOf(disk, "runs")}`;
    const config = disk.read("etc/rancher/k3s/config.yaml")!.trimEnd();
    const agentToken = disk.read("etc/rancher/k3s/agent-token")?.trim();
    disk.write(JOURNAL, "");
    try {
      const refused = /^.*double-refuses.*$/m.exec(config)?.[0];
      if (refused !== undefined) throw new Error(`level=fatal msg="Error: flag provided but not defined: ${refused}"`);
      const k3s = k3sOn(
        { vmid, machines, clusters },
        {
          role: /"role":"(\w+)"/.exec(disk.read(`${system}/etc/systemd/system/k3s.service`)!)![1]!,
          // Without a name in its config, K3s takes the kernel's host name.
          name: /^node-name: (.*)$/m.exec(config)?.[1] ?? disk.read(KERNEL_NAME)!.trim(),
          version: `v${disk.read(`${system}/k3s-release`)}`,
          ...{ token, config, ...(agentToken === undefined ? {} : { agentToken }) },
        },
      );
      disk.startK3s(k3s);
      clusters.register(k3s);
      fs.rmSync(path.join(disk.root, "failed-unit"), { force: true });
    } catch (error) {
      disk.endK3s();
      disk.write("failed-unit", "k3s.service\n");
      disk.write(JOURNAL, `${(error as Error).message}\n`);
    }
  });
  return 0;
}

function link(disk: SimulatedDisk, file: string, target: string): void {
  const at = path.join(disk.root, file);
  fs.mkdirSync(path.dirname(at), { recursive: true });
  fs.rmSync(at, { force: true });
  fs.symlinkSync(target, at);
}

function place(disk: SimulatedDisk, from: string, to: string): void {
  const text = disk.read(from);
  if (text === undefined) fs.rmSync(path.join(disk.root, to), { force: true });
  else disk.write(to, text);
}
