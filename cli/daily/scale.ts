import { Command, InvalidArgumentError } from "commander";

import { ownCommand } from "../../config/ownCommand";
import { applyEdit, type ChangeOptions, subjectOf } from "./apply";
import { scaled } from "./stackEdit";

const count = (value: string): number => {
  if (!/^\d{1,3}$/.test(value)) throw new InvalidArgumentError("It must be a whole number.");
  return Number(value);
};

/** `proxmox-k3s scale`: changes the number of nodes in a pool. */
export const scaleCommand = new Command("scale")
  .description(
    "Give a pool another number of nodes: shows what pulumi up will do, asks, and changes the stack file. Its comments stay.",
  )
  .argument("<pool>", "the pool, for example worker")
  .argument("<count>", "the new number of nodes", count)
  .option("--stack <name>", "the stack (default: the selected one)")
  .option("--dry-run", "only show what pulumi up would do")
  .option("--yes", "do not ask")
  .addHelpText(
    "after",
    `\nExample:\n  ${ownCommand("scale worker 3")}\n\nThe same without this command: pulumi config set --path 'proxmox-k3s:cluster.pools.worker.count' 3`,
  )
  .action(async (pool: string, nodes: number, options: ChangeOptions) => {
    await applyEdit(await subjectOf(options.stack), (text) => scaled(text, pool, nodes), options);
  });
