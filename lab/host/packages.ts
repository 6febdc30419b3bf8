import { Log } from "../support/cache";
import { hasCommand, run } from "./run";

/** A Debian package that the lab needs on the person's machine, and what shows that it is installed: a command, or a check. */
export type MachinePackage = { name: string } & ({ command: string } | { isThere: () => boolean });

/**
 * All that is installed on the machine itself. Packages with a daemon (LXC, sshd) are in the lab's host image instead, so
 * that a lab starts no service and opens no port on the machine.
 */
export const machinePackages: readonly MachinePackage[] = [
  { name: "debootstrap", command: "debootstrap" },
  { name: "zstd", command: "zstd" },
  { name: "openssl", command: "openssl" },
  { name: "openssh-client", command: "ssh-keygen" },
  { name: "iproute2", command: "ip" },
];

/** Installs what is missing with apt-get; by default {@link machinePackages}. */
export async function ensurePackages(log: Log, packages: readonly MachinePackage[] = machinePackages): Promise<void> {
  const isThere = (wanted: MachinePackage) => ("command" in wanted ? hasCommand(wanted.command) : wanted.isThere());
  const missing = packages.filter((wanted) => !isThere(wanted)).map((wanted) => wanted.name);
  if (missing.length === 0) return;
  if (!hasCommand("apt-get"))
    throw new Error(`Missing on this machine, which has no apt-get to install it: ${missing.join(", ")}.`);
  log(`installing ${missing.join(", ")}`);
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  await run("apt-get", ["update", "-qq"], { env });
  await run("apt-get", ["install", "-y", "-qq", "--no-install-recommends", ...missing], { env });
}
