import { Command } from "commander";

import { renderGate } from "../remote/hostGate";

/** `proxmox-k3s gate`: the forced command for the program's key on the Proxmox host. */
export const gateCommand = new Command("gate")
  .description(
    "Print the gate for the Proxmox host: the forced command that lets the program's SSH key run the scripts of this " +
      "version of the program and nothing else.",
  )
  .addHelpText("after", "\nExample:\n  npx proxmox-k3s gate > proxmox-k3s-gate")
  .action(() => void process.stdout.write(renderGate()));
