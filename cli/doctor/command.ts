import { Command } from "commander";

import { ownCommand } from "../../config/ownCommand";
import { diagnose } from "./diagnose";
import { isHealthy, renderJson, renderReport } from "./report";

/** `proxmox-k3s doctor`: finds what would make `pulumi up` fail, and names a remedy for each problem. */
export const doctorCommand = new Command("doctor")
  .description(
    "Check this machine, the stack and the Proxmox host, and print a remedy below each problem. Changes nothing. " +
      "The exit code is 1 if a check fails.",
  )
  .option("--stack <name>", "the stack to check (default: the selected one)")
  .option("--json", "print the result as JSON")
  .addHelpText("after", `\nExample:\n  ${ownCommand("doctor --stack mine")}`)
  .action(async ({ stack, json }: { stack?: string; json?: boolean }) => {
    const findings = await diagnose(stack);
    process.stdout.write(json ? renderJson(findings) : renderReport(findings));
    process.exitCode = isHealthy(findings) ? 0 : 1;
  });
