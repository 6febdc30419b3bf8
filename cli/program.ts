import { Command } from "commander";

import { ownCommand } from "../config/ownCommand";
import { nodeJsProblem } from "../plan/nodeJs";
import { checkCommand } from "./check/command";
import { completionCommand } from "./completion/command";
import { nodeCommand } from "./daily/node";
import { scaleCommand } from "./daily/scale";
import { sshCommand } from "./daily/ssh";
import { doctorCommand } from "./doctor/command";
import { gateCommand } from "./gate";
import { githubCommand } from "./github/command";
import { initCommand } from "./init/command";
import { kubeconfigCommand } from "./kubeconfig";
import { onboardingCommand } from "./onboarding/command";
import { pinCommand } from "./pin/command";
import { previewCommand } from "./preview/command";
import { recoverCommand } from "./recover/command";
import { statusCommand } from "./status/command";

/** `proxmox-k3s COMMAND`: commands for a cluster, in addition to `pulumi up`. */
export const program = new Command("proxmox-k3s")
  .description("Commands for a K3s cluster on Proxmox VE, in addition to pulumi up.")
  .addHelpText("after", `\nExample:\n  ${ownCommand("doctor && pulumi up")}`)
  // The doctor itself reports a Node.js that is too old, as one of its findings.
  .hook("preAction", (_, command) => {
    const problem = command === doctorCommand ? undefined : nodeJsProblem();
    if (problem) throw new Error(`${problem.seen}\nnext: ${problem.remedy}`);
  });
const commands = [
  ...[initCommand, doctorCommand, previewCommand, statusCommand, kubeconfigCommand],
  ...[scaleCommand, nodeCommand, sshCommand, onboardingCommand, checkCommand],
  ...[recoverCommand, gateCommand, pinCommand, githubCommand, completionCommand],
];
for (const command of commands) program.addCommand(command);
