import * as fs from "node:fs";
import * as path from "node:path";

import { loadPlan } from "../../plan/load";
import type { ClusterPlan, NodePlan } from "../../plan/model";
import { atTerminal, nobody } from "../init/person";
import { clusterIn, clusterInText, formerByState, stackFile } from "../preview/former";
import { renderText } from "../preview/render";
import { reviewOfConfig } from "../preview/review";
import { pulumi } from "../pulumi";
import { writeWhole } from "../wholeFile";

export interface ChangeOptions {
  readonly stack?: string;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
  /** What to try instead if the change is refused. */
  readonly otherWay?: string;
}

/** The stack, its file and its plan. */
export interface Subject {
  readonly stack: string;
  readonly file: string;
  readonly plan: ClusterPlan;
}

/** @param stack the selected one by default */
export async function subjectOf(stack: string | undefined): Promise<Subject> {
  const name = stack ?? (await pulumi(["stack", "--show-name"])).trim();
  const file = stackFile(name);
  return { stack: name, file, plan: loadPlan(clusterIn(file)) };
}

/** @throws Error that lists the nodes if there is none of that name */
export function nodeNamed(name: string, { nodes }: ClusterPlan): NodePlan {
  const found = nodes.find((node) => node.name === name);
  if (found) return found;
  throw new Error(
    `the cluster has no node ${name}\nnext:  name one of its nodes: ${nodes.map((node) => node.name).join(", ")}`,
  );
}

/**
 * Shows what `pulumi up` would do with a changed stack file, asks, and writes the file. It does not run `pulumi up`.
 * @throws Error if the change is refused; the file then stays unchanged
 */
export async function applyEdit(
  { stack, file }: Subject,
  edit: (text: string) => string,
  options: ChangeOptions,
): Promise<void> {
  const text = fs.readFileSync(file, "utf8");
  const changed = edit(text);
  const cluster = clusterInText(path.basename(file), () => changed);
  const review = reviewOfConfig(await formerByState(stack), stack, cluster);
  process.stdout.write(renderText(review));
  if (review.outcome === "refused")
    throw new Error(
      `${path.basename(file)} was not changed\nnext:  ${options.otherWay ?? "see above what else the change needs"}`,
    );
  if (options.dryRun) return;
  const person = options.yes ? nobody : atTerminal();
  if (!(await person.confirm(`\nWrite this into ${path.basename(file)}?`))) return;
  replace(file, text, changed);
  console.log(`\n${path.basename(file)} was changed\nnext:  pulumi up --stack ${stack}`);
}

/**
 * Writes a file whole or not at all.
 * @param text the file's content from which the change was made
 * @throws Error if the file now has another content
 */
export function replace(file: string, text: string, changed: string): void {
  const target = fs.realpathSync(file);
  if (fs.readFileSync(target, "utf8") !== text)
    throw new Error(
      `${path.basename(file)} has changed in the meantime, so it was not written\nnext:  check what has changed in it, then try again`,
    );
  writeWhole(target, changed, fs.statSync(target).mode);
}
