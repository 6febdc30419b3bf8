import { Command } from "commander";

import { gate, type GateCommandOptions } from "./installGate";

const collect = (value: string, before: readonly string[]): string[] => [...before, value];

/** `proxmox-k3s gate`: the forced command for the program's key on the Proxmox host. */
export const gateCommand = new Command("gate")
  .description(
    "Put the gate on the Proxmox host: the forced command that lets the program's SSH key run the scripts of this " +
      "version of the program, with the arguments of each, and nothing else. Without --install: print it.",
  )
  .option("--install <root@HOST>", "put it there with your own SSH access, and have it run a script")
  .option("--key <file>", "the private key with which the program works on the host", "~/.ssh/proxmox-k3s-host")
  .option(
    "--artifacts <folder>",
    "a folder on the host whose K3s files may go to guests; may be given again",
    collect,
    [],
  )
  .option(
    "--node-key <file>",
    "a public key that may go into guests, and then no other; may be given again",
    collect,
    [],
  )
  .option("--ssh <command>", "how to reach the host", "ssh")
  .addHelpText("after", "\nExample:\n  npx proxmox-k3s gate --install root@192.168.2.167")
  .action((options: GateCommandOptions) => gate(options));
