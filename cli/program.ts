import { Command } from "commander";

import { nodeJsProblem } from "../plan/nodeJs";
import { doctorCommand } from "./doctor/command";
import { gateCommand } from "./gate";
import { pinCommand } from "./pin/command";
import { recoverCommand } from "./recover/command";

/** `proxmox-k3s COMMAND`: what a cluster needs now and then beside `pulumi up`. */
export const program = new Command("proxmox-k3s")
  .description("Works on a K3s cluster on Proxmox VE, beside pulumi up.")
  .addHelpText("after", "\nExample:\n  npx proxmox-k3s doctor && pulumi up")
  // The doctor reports a Node.js that is too old itself, among its other findings.
  .hook("preAction", (_, command) => {
    const problem = command === doctorCommand ? undefined : nodeJsProblem();
    if (problem) throw new Error(`${problem.seen}\nnext: ${problem.remedy}`);
  });
for (const command of [doctorCommand, recoverCommand, gateCommand, pinCommand]) program.addCommand(command);
