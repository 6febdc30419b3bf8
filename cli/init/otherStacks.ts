import * as fs from "node:fs";
import * as path from "node:path";

import { loadPlan } from "../../plan/load";
import type { ClusterPlan } from "../../plan/model";
import { clusterIn } from "../preview/former";
import type { HostFacts } from "./facts";

/**
 * The facts, plus the VMIDs and addresses in the other stack files for this host: their nodes may not exist yet.
 * @param own the stack file of the new cluster
 */
export function besideStacks(facts: HostFacts, folder: string, own: string): HostFacts {
  const files = fs.globSync("Pulumi.*.yaml", { cwd: folder }).map((file) => path.join(folder, file));
  const nodes = files
    .filter((file) => file !== own)
    .map(planIn)
    .filter((plan) => plan?.proxmox.hostKey.split(" ").slice(0, 2).join(" ") === facts.hostKey)
    .flatMap((plan) => plan?.nodes ?? []);
  const vmIds = nodes.flatMap((node) =>
    node.kind === "vm" && node.disksVmId !== undefined ? [node.vmId, node.disksVmId] : [node.vmId],
  );
  return {
    ...facts,
    usedVmIds: new Set([...facts.usedVmIds, ...vmIds]),
    usedAddresses: new Set([...facts.usedAddresses, ...nodes.map(({ address }) => address)]),
  };
}

/** Undefined for a file without a valid plan: `pulumi up` does not work with it. */
function planIn(file: string): ClusterPlan | undefined {
  try {
    return loadPlan(clusterIn(file));
  } catch {
    return undefined;
  }
}
