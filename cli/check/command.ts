import * as fs from "node:fs";

import { Command } from "commander";

import { ownCommand } from "../../config/ownCommand";
import { isHealthy, renderJson, renderReport } from "../doctor/report";
import { renderDocument, renderFindings } from "../status/markup";
import { type Phase, PHASES } from "./phases";

interface CheckOptions extends Partial<Record<Phase, boolean>> {
  readonly stack?: string;
  readonly json?: boolean;
  readonly report?: string;
}

/** `proxmox-k3s check`: what an onboarding needs, how far it is, and its result. */
export const checkCommand = new Command("check")
  .description(
    "Check all that an onboarding needs before it, how it goes, or what it led to, and print a remedy below each problem. Changes " +
      "nothing. The exit code is 0 if nothing failed, 1 if a check failed, 2 if the checks could not run.",
  )
  .option("--before", "this machine, the stack, the Proxmox host, and the existing nodes")
  .option("--during", "how far each node is")
  .option("--after", "the cluster compared with its plan, its pods, the pod network and services")
  .option("--stack <name>", "the stack to check (default: the selected one)")
  .option("--json", "print the result as JSON")
  .option("--report <file>", "also write it as a page, one file that needs no network")
  .addHelpText("after", `\nExample:\n  ${ownCommand("check --after --report check.html")}`)
  .action(async ({ stack, json, report, ...options }: CheckOptions) => {
    process.exitCode = 2;
    try {
      const phase = phaseOf(options);
      const findings = await PHASES[phase](stack);
      const isGood = isHealthy(findings);
      if (report !== undefined) {
        const verdict = isGood
          ? ({ text: "passed", level: "ok" } as const)
          : ({ text: "failed", level: "fail" } as const);
        const page = [
          renderFindings(
            "Failed",
            findings.filter(({ level }) => level === "fail"),
          ),
          renderFindings(
            "To look at",
            findings.filter(({ level }) => level === "warn" || level === "skip"),
          ),
          renderFindings(
            "Passed",
            findings.filter(({ level }) => level === "ok"),
          ),
        ];
        const head = {
          name: `Checks ${phase} the onboarding`,
          verdict,
          note: stack ?? "the selected stack",
          at: new Date(),
        };
        fs.writeFileSync(report, renderDocument(head, page));
      }
      process.stdout.write(json ? renderJson(findings) : renderReport(findings));
      process.exitCode = isGood ? 0 : 1;
    } catch (error) {
      console.error(`error: ${(error as Error).message}`);
    }
  });

function phaseOf(options: Partial<Record<Phase, boolean>>): Phase {
  const chosen = (Object.keys(PHASES) as Phase[]).filter((phase) => options[phase] === true);
  if (chosen.length !== 1) throw new Error("name one phase\nnext: add --before, --during or --after");
  return chosen[0]!;
}
