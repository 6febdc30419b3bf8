import { Command, InvalidArgumentError, Option } from "commander";

import { ownCommand } from "../../config/ownCommand";
import { init, type InitOptions } from "./init";
import { KINDS } from "./propose";
import { undo } from "./undo";

const whole = (value: string): number => {
  if (!/^\d{1,9}$/.test(value)) throw new InvalidArgumentError("It must be a whole number.");
  return Number(value);
};

/** `proxmox-k3s init`: from a Proxmox host to a stack that is ready for `pulumi up`. */
export const initCommand = new Command("init")
  .description(
    "Prepare a Proxmox host and this machine for a new cluster: resource pool, roles, user, API token, SSH keys, gate, " +
      "template, stack and stack file. It reads what it can from the host, asks you for the rest, shows what it will do, and asks first. " +
      "It does not change what already exists, so you can run it again.",
  )
  .argument("<root@HOST>", "the Proxmox host, over your own SSH access as root")
  .option("--name <name>", "the cluster's name, and the stack's")
  .addOption(
    new Option(
      "--kind <kind>",
      "containers, virtual machines, or servers in containers and workers in virtual machines",
    ).choices(KINDS),
  )
  .addOption(new Option("--servers <number>", "how many servers: 1, 3 or 5").argParser(whole))
  .addOption(new Option("--workers <number>", "how many workers").argParser(whole))
  .option("--address <address>", "the first address of the nodes (default: a free one)")
  .addOption(new Option("--vmid <number>", "the first VMID of the nodes (default: a free one)").argParser(whole))
  .option("--bridge <bridge>", "the bridge, if the host has several with a network")
  .option("--gateway <address>", "the nodes' gateway (default: the host's)")
  .option("--nameserver <address>", "the nodes' name server (default: the host's)")
  .option("--storage <storage>", "the storage of the nodes' disks")
  .option("--template <template>", "the container template: a file to download, or a volume on the host")
  .option("--image <image>", "for virtual machines: a URL (with --sha256), a volume on the host, or a template's VMID")
  .option("--sha256 <sum>", "the SHA-256 of the image of a URL")
  .option("--dry-run", "print the script for the host and the stack file, and change nothing")
  .option("--yes", "ask nothing")
  .option("--undo", "remove what init created on the host for --name")
  .option("--ssh <command>", "the SSH command to use", "ssh")
  .addHelpText(
    "after",
    `\nExample:\n  ${ownCommand("init root@192.168.2.167 --dry-run")}\n\nWithout this command: docs/by-hand.md has the same steps one by one.`,
  )
  .action((target: string, options: InitOptions & { undo?: boolean }) =>
    options.undo ? undo(target, options) : init(target, options),
  );
