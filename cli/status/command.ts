import * as fs from "node:fs";

import { Command } from "commander";

import { ownCommand } from "../../config/ownCommand";
import { compare, type Verdict } from "./compare";
import { renderPage } from "./page";
import { look } from "./look";
import { renderStatus, renderStatusJson } from "./table";

/** Exit codes for programs. */
const EXIT_CODES: Readonly<Record<Verdict, number>> = { "as planned": 0, differs: 1, unknown: 2 };

interface StatusOptions {
  readonly stack?: string;
  readonly json?: boolean;
  readonly report?: string;
}

/** `proxmox-k3s status`: the plan compared with Proxmox VE and Kubernetes, with a command for each difference. */
export const statusCommand = new Command("status")
  .description(
    "Compare the plan with Proxmox VE and Kubernetes, and print the command below each difference. Changes nothing. The " +
      "exit code is 0 if all is as planned, 1 if something differs, 2 if something could not be checked.",
  )
  .option("--stack <name>", "the stack to look at (default: the selected one)")
  .option("--json", "print the result as JSON")
  .option("--report <file>", "also write it as a page, one file that needs no network")
  .addHelpText("after", `\nExample:\n  ${ownCommand("status --stack mine --report status.html")}`)
  .action(async ({ stack, json, report }: StatusOptions) => {
    // Whatever ends the command early, the status is then unknown.
    process.exitCode = EXIT_CODES.unknown;
    try {
      const { plan, sight } = await look(stack);
      const status = compare(plan, sight);
      if (report !== undefined) fs.writeFileSync(report, renderPage(status));
      process.stdout.write(json ? renderStatusJson(status) : renderStatus(status));
      process.exitCode = EXIT_CODES[status.verdict];
    } catch (error) {
      console.error(`error: ${(error as Error).message}`);
    }
  });
