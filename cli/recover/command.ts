import { Command, InvalidArgumentError } from "commander";

import { ownCommand } from "../../config/ownCommand";
import { recover } from "./recover";

/** `proxmox-k3s recover`: cleans up after an interrupted run. */
export const recoverCommand = new Command("recover")
  .description(
    "Clean up after an interrupted run: remove guests of this stack that are not in its state, and pending operations; take " +
      "nodes that a refresh has lost into the state again. Shows what it will do, and asks first.",
  )
  .option("--stack <name>", "the stack to recover (default: the selected one)")
  .option("--wait <seconds>", "how long to wait for a creation that is still running on the host", seconds, 120)
  .option("-y, --yes", "do not ask")
  .addHelpText("after", `\nExample:\n  ${ownCommand("recover --stack mine")}`)
  .action(async ({ stack, wait, yes = false }: { stack?: string; wait: number; yes?: boolean }) => {
    process.exitCode = await recover({ ...(stack === undefined ? {} : { stack }), wait, yes });
  });

function seconds(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError("It must be a whole number of seconds.");
  return Number(text);
}
