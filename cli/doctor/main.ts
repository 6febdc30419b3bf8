import { Command } from "commander";

import { diagnose } from "./diagnose";
import { isHealthy, renderJson, renderReport } from "./report";

/* `npm run doctor`: all that may keep an `up` from ending well, each with its remedy. Ends with 1 when something fails. */

void new Command("doctor")
  .description("Looks at this machine, the stack and the Proxmox host, and says what is wrong and how to mend it.")
  .option("--stack <name>", "which stack; the selected one by default")
  .option("--json", "for programs")
  .action(async ({ stack, json }: { stack?: string; json?: boolean }) => {
    const findings = await diagnose(stack);
    process.stdout.write(json ? renderJson(findings) : renderReport(findings));
    process.exitCode = isHealthy(findings) ? 0 : 1;
  })
  .parseAsync();
