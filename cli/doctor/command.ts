import { Command } from "commander";

import { ownCommand } from "../../config/ownCommand";
import { checkBareHost } from "./bareHost";
import { diagnose } from "./diagnose";
import { isHealthy, renderJson, renderReport } from "./report";

interface Options {
  readonly stack?: string;
  readonly host?: string;
  readonly ssh: string;
  readonly json?: boolean;
}

/** `proxmox-k3s doctor`: finds what would make `pulumi up` fail, and names a remedy for each problem. */
export const doctorCommand = new Command("doctor")
  .description(
    "Check this machine, the stack and the Proxmox host, and print a remedy below each problem. Changes nothing. " +
      "The exit code is 1 if a check fails.",
  )
  .option("--stack <name>", "the stack to check (default: the selected one)")
  .option("--host <root@HOST>", "before there is a stack: check a Proxmox host over your own SSH access")
  .option("--ssh <command>", "the SSH command to use with --host", "ssh")
  .option("--json", "print the result as JSON")
  .addHelpText(
    "after",
    `\nExample:\n  ${ownCommand("doctor --stack mine")}\n  ${ownCommand("doctor --host root@192.168.2.167")}`,
  )
  .action(async ({ stack, host, ssh, json }: Options) => {
    const findings = host === undefined ? await diagnose(stack) : await checkBareHost(host, ssh);
    process.stdout.write(json ? renderJson(findings) : renderReport(findings));
    process.exitCode = isHealthy(findings) ? 0 : 1;
  });
