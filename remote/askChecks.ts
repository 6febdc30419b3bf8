import { endpointUrl } from "../plan/endpoint";
import type { ClusterPlan } from "../plan/model";
import { clusterNetworks } from "../plan/network";
import { lookAtCluster } from "./clusterLook";
import type { ShellTarget } from "./sshClient";

/** What a check of a node, or of the cluster, found. */
export interface NodeFinding {
  /** Undefined for the cluster. */
  readonly node: string | undefined;
  readonly level: "ok" | "warn" | "fail";
  readonly check: string;
  readonly seen: string;
  readonly remedy?: string;
}

/**
 * Checks on the existing nodes whether K3s has what it needs (`before`), or whether they reach each other and the services
 * (`after`).
 * @param clusterId the anchor's random id
 * @throws ConnectionError if the host cannot be reached; Error with the cause and the next step if the script failed
 */
export async function askChecks(
  target: ShellTarget,
  phase: "before" | "after",
  plan: ClusterPlan,
  clusterId: string,
): Promise<NodeFinding[]> {
  const answer = await lookAtCluster(target, {
    ...{ task: "check", cluster: plan.name, clusterId, boundSeconds: 300 },
    title: `checks of the nodes, ${phase} their onboarding`,
    args: { PHASE: phase, ARCH: plan.arch, NETWORKS: clusterNetworks(plan.network), URL: endpointUrl(plan.endpoint) },
  });
  return parseChecks(answer);
}

/** Reads the answer of `scripts/host/check.sh`. Nodes write its words, so no character in them may act on a terminal. */
export function parseChecks(answer: string): NodeFinding[] {
  const lines = answer.split("\n").filter(Boolean);
  return lines.map((line) => {
    const [node = "", level, check = "", seen = "", remedy = ""] = line.split("\t").map(printable);
    if (level !== "ok" && level !== "warn" && level !== "fail")
      throw new Error("the Proxmox host answered with a line that is no finding");
    return { node: node === "-" ? undefined : node, level, check, seen, ...(remedy ? { remedy } : {}) };
  });
}

const printable = (text: string): string => text.replace(/\p{C}/gu, "?").slice(0, 400);
