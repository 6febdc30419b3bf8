import { X509Certificate } from "node:crypto";
import * as fs from "node:fs";
import * as os from "node:os";
import * as path from "node:path";
import { Command } from "commander";
import { parseDocument } from "yaml";

import { ownCommand } from "../config/ownCommand";
import { endpointUrl } from "../plan/endpoint";
import { loadPlan } from "../plan/load";
import { clusterIdOf } from "../plan/mark";
import { renameKubeconfig } from "../plan/render/kubeconfig";
import { mergeKubeconfig } from "../plan/render/mergeKubeconfig";
import { advice } from "../remote/advice";
import { lookAtCluster } from "../remote/clusterLook";
import { hostTarget, markOf, readStack } from "./stack";
import { writeWhole } from "./wholeFile";

/** `proxmox-k3s kubeconfig`: a fresh kubeconfig from a server, because the one in the state may have expired. */
export const kubeconfigCommand = new Command("kubeconfig")
  .description(
    "Print a fresh kubeconfig of the cluster's admin, read from a server now. It is a secret: send it to a file that only " +
      "you can read.",
  )
  .option("--stack <name>", "the stack whose cluster it is (default: the selected one)")
  .addHelpText(
    "after",
    `\nExample:\n  ${ownCommand("kubeconfig --merge")}\n  ${ownCommand("kubeconfig --stack mine | install -m 600 /dev/stdin ~/.kube/mine")}`,
  )
  .option(
    "--merge",
    "put it into your own kubeconfig (KUBECONFIG, or ~/.kube/config) as a context with the cluster's name",
  )
  .action(async ({ stack, merge }: { stack?: string; merge?: boolean }) => {
    const text = await readKubeconfig(stack);
    if (!merge) return void process.stdout.write(text);
    const { file, context, ends } = mergeInto(ownKubeconfig(), text);
    console.log(`${file}: the context ${context}, good until ${ends}\nnext:  kubectl --context ${context} get nodes`);
  });

/** The file that kubectl writes to. */
function ownKubeconfig({ KUBECONFIG }: NodeJS.ProcessEnv = process.env): string {
  return KUBECONFIG?.split(path.delimiter).find(Boolean) ?? path.join(os.homedir(), ".kube/config");
}

/**
 * Merges a kubeconfig into a file that only the user can read. It is replaced as a whole.
 * @throws Error with the cause and the next step; the file then stays unchanged
 */
export function mergeInto(file: string, fresh: string): { file: string; context: string; ends: string } {
  const target = fs.existsSync(file) ? fs.realpathSync(file) : file;
  const former = fs.existsSync(target) ? fs.readFileSync(target, "utf8") : "";
  let merged: string;
  try {
    merged = mergeKubeconfig(former, fresh);
  } catch (error) {
    const next = `name another file: KUBECONFIG=~/.kube/k3s ${ownCommand("kubeconfig --merge")}`;
    throw new Error(advice(`${file}: ${(error as Error).message}`, next), { cause: error });
  }
  fs.mkdirSync(path.dirname(target), { recursive: true, mode: 0o700 });
  writeWhole(target, merged, 0o600);
  const doc = parseDocument(fresh);
  const certificate = String(doc.getIn(["users", 0, "user", "client-certificate-data"]));
  const ends = new Date(new X509Certificate(Buffer.from(certificate, "base64")).validTo);
  return { file, context: String(doc.get("current-context")), ends: ends.toISOString().slice(0, 10) };
}

/** @throws Error with the cause and the next command if no server gives one */
async function readKubeconfig(stackName: string | undefined): Promise<string> {
  const stack = await readStack(stackName);
  const plan = loadPlan(stack.cluster);
  const clusterId = clusterIdOf(markOf(stack, plan));
  const text = await lookAtCluster(hostTarget(stack, plan), {
    ...{ task: "kubeconfig", cluster: plan.name, clusterId, boundSeconds: 120 },
    title: "the cluster's kubeconfig, read again",
    args: { TIMEOUT: 30, REPAIRS: 0 },
  });
  return renameKubeconfig(text, plan.name, endpointUrl(plan.endpoint));
}
