import { Command } from "commander";

import { recover } from "./recover/recover";

/* `npm run cluster -- COMMAND`: what a cluster needs now and then beside `pulumi up`. */

const program = new Command("cluster").description("Works on a stack's cluster beside pulumi up.");

function seconds(text: string): number {
  if (!/^\d+$/.test(text)) throw new Error(`${text} is no number of seconds`);
  return Number(text);
}

program
  .command("recover")
  .description("clear away what an interrupted run left: guests of ours that no state knows, and open operations")
  .option("--stack <name>", "which stack; the selected one by default")
  .option("--wait <seconds>", "how long a creation that goes on by itself is waited for", seconds, 120)
  .option("-y, --yes", "do not ask")
  .action(async (options: { stack?: string; wait: number; yes?: boolean }) => {
    process.exitCode = await recover({ ...options, yes: options.yes ?? false });
  });

program.parseAsync().catch((error: Error) => {
  // What a script says has the word already.
  console.error(error.message.replace(/^(?:error: )?/, "error: "));
  process.exitCode = 1;
});
