import { Command } from "commander";

import { ownCommand } from "../config/ownCommand";
import { gate, type GateCommandOptions } from "./installGate";

const collect = (value: string, before: readonly string[]): string[] => [...before, value];

/** `proxmox-k3s gate`: the forced command for the program's key on the Proxmox host. */
export const gateCommand = new Command("gate")
  .description(
    "Install the gate on the Proxmox host: a forced command for the program's SSH key. With it, the key can run only " +
      "the scripts of this version of the program, each with its own arguments. Without --install, print the gate.",
  )
  .option("--install <root@HOST>", "install it over your own SSH access, then test it with one script")
  .option(
    "--key <file>",
    "the private key that the program uses for the host (default: the selected stack's, else ~/.ssh/proxmox-k3s-host)",
  )
  .option(
    "--artifacts <folder>",
    "a folder on the host from which K3s files may be copied into guests; may be repeated",
    collect,
    [],
  )
  .option("--node-key <file>", "allow only this public key in guests; may be repeated", collect, [])
  .option("--ssh <command>", "the SSH command to use", "ssh")
  .addHelpText("after", `\nExample:\n  ${ownCommand("gate --install root@192.168.2.167")}`)
  .action((options: GateCommandOptions) => gate(options));
