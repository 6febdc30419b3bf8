import * as fs from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

import { Command } from "commander";

import { ownCommand } from "../../config/ownCommand";
import { loadPlan } from "../../plan/load";
import { clusterIdOf } from "../../plan/mark";
import type { Progress } from "../../plan/onboarding";
import { askOnboarding } from "../../remote/askOnboarding";
import { lookTarget, markOf, readStack } from "../stack";
import { renderOnboardingPage } from "./page";
import { clusterProgress, type ClusterProgress, renderProgress } from "./progress";

/** Exit codes for programs. */
const EXIT_CODES: Readonly<Record<Progress, number>> = { done: 0, failed: 1, unfinished: 2 };
/** Between two looks, because each look asks every guest. */
const PAUSE_MS = 3000;
/** Moves the cursor home and clears the rest of a terminal. */
const CLEAR = "\x1b[H\x1b[J";

interface OnboardingOptions {
  readonly stack?: string;
  readonly watch?: boolean;
  readonly json?: boolean;
  readonly report?: string;
}

/** `proxmox-k3s onboarding`: how far each node is, from its packages to its health. */
export const onboardingCommand = new Command("onboarding")
  .description(
    "Show how far the onboarding of each node is, while pulumi up runs or after it. Changes nothing. The exit code is 0 if all " +
      "nodes are done, 1 if a step has failed, 2 if one is unfinished or could not be asked.",
  )
  .option("--stack <name>", "the stack to look at (default: the selected one)")
  .option("--watch", "look again until all nodes are done")
  .option("--json", "print the result as JSON")
  .option("--report <file>", "also write it as a page, one file that needs no network")
  .addHelpText("after", `\nExample:\n  ${ownCommand("onboarding --watch")}`)
  .action(async (options: OnboardingOptions) => {
    process.exitCode = EXIT_CODES.unfinished;
    try {
      await show(options);
    } catch (error) {
      console.error(`error: ${(error as Error).message}`);
    }
  });

async function show({ stack, watch, json, report }: OnboardingOptions): Promise<void> {
  const look = await looker(stack);
  let shown = "";
  for (;;) {
    const progress = await look(watch === true);
    const text = json ? `${JSON.stringify(progress)}\n` : renderProgress(progress);
    if (report !== undefined) fs.writeFileSync(report, renderOnboardingPage(progress));
    const clear = watch && !json && process.stdout.isTTY ? CLEAR : "";
    if (clear !== "" || !isSame(text, shown, json)) process.stdout.write(clear + text);
    shown = text;
    process.exitCode = EXIT_CODES[progress.progress];
    if (!watch || progress.progress === "done") return;
    await sleep(PAUSE_MS);
  }
}

/** Without a terminal only changes are printed. A new time alone is not a change. */
function isSame(text: string, shown: string, json = false): boolean {
  const withoutTime = (each: string): string => (json ? each.replace(/"at":"[^"]*"/, "") : each);
  return withoutTime(text) === withoutTime(shown);
}

/**
 * Reads the stack once, and again only while it has no cluster.
 * @returns a function that looks at the nodes. With `isPatient` it is no error if the nodes cannot be asked yet, because the
 * first node may not exist yet
 */
async function looker(stackName?: string): Promise<(isPatient: boolean) => Promise<ClusterProgress>> {
  let stack = await readStack(stackName);
  return async (isPatient) => {
    const plan = loadPlan(stack.cluster);
    const at = new Date();
    if (isPatient && stack.state.mark(plan.name) === undefined) stack = await readStack(stackName);
    try {
      const clusterId = clusterIdOf(markOf(stack, plan));
      return clusterProgress(plan, await askOnboarding(lookTarget(stack, plan), plan.name, clusterId), at);
    } catch (error) {
      if (!isPatient) throw error;
      return clusterProgress(plan, error as Error, at);
    }
  };
}
