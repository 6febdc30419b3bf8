import * as fs from "node:fs";
import * as path from "node:path";

import { loadPlan } from "../../plan/load";
import { advice } from "../../remote/advice";
import { GATE_FILE } from "../../remote/hostGate";
import { AdminShell } from "../adminShell";
import { clusterIn, stackFile } from "../preview/former";
import { renderAdmin } from "./adminScript";
import { apiUserOf } from "./hostPlan";
import type { InitOptions } from "./init";
import { keyFile } from "./local";
import { atTerminal, nobody } from "./person";
import { askName } from "./setup";
import { tell } from "./tell";

/**
 * Removes what `init` created on the host for a cluster, by the record that it kept there.
 * @throws Error with the next step if the cluster still has guests
 */
export async function undo(target: string, options: InitOptions): Promise<void> {
  if (options.name === undefined)
    throw new Error("which cluster?\nnext:  add --name NAME, the name that init was given");
  const name = await askName(options, nobody);
  const file = stackFile(name);
  const { cluster, pool } = namesIn(file) ?? { cluster: name, pool: name };
  const script = renderAdmin("undo", { CLUSTER: cluster, POOL: pool, API_USER: apiUserOf(cluster), GATE_FILE });
  if (options.dryRun) return void process.stdout.write(script);
  const person = options.yes ? nobody : atTerminal();
  if (!(await person.confirm(`Remove from ${target} what init made there for ${name}?`))) return;
  await new AdminShell(options.ssh, target).script(script, tell);
  const left = [file, keyFile(name, "host"), keyFile(name, "node")].filter((each) => fs.existsSync(each));
  if (left.length > 0) console.log(`\nOn this machine these stay: ${left.join(", ")}, and the stack ${name}`);
  if (fs.existsSync(file))
    console.log(`next:  pulumi stack rm ${name} --preserve-config, and remove the files that you no longer need`);
}

/**
 * The cluster and its resource pool from the stack file; undefined if there is none.
 * @throws Error if the file is not valid: with a wrong pool, the cluster's guests would not be found
 */
export function namesIn(file: string): { cluster: string; pool: string } | undefined {
  if (!fs.existsSync(file)) return undefined;
  try {
    const { name, proxmox } = loadPlan(clusterIn(file));
    return { cluster: name, pool: proxmox.resourcePool };
  } catch (error) {
    const cause = `${path.basename(file)} does not say which resource pool the cluster has: ${(error as Error).message}`;
    throw new Error(advice(cause, "fix the stack file; --undo looks for the cluster's guests in its pool"), {
      cause: error,
    });
  }
}
