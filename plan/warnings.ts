import { indicesOf } from "./allocate";
import { recipeWarning } from "./lxcProfile";
import type { ClusterPlan } from "./plan";
import type { Settings } from "../config/schema";
import { versionWarning } from "./versions";

/** What a person should know of a plan that is valid, one sentence each, in the preview. Pure: no clock. */
export function planWarnings(plan: Omit<ClusterPlan, "warnings">, settings: Settings): string[] {
  return [
    ...(plan.nodes.some(({ kind }) => kind === "lxc") ? [recipeWarning(plan.proxmox.node)] : []),
    ...versionWarning(plan.version),
    ...sumWarnings(plan),
    ...(plan.proxmox.insecure
      ? [
          `the TLS certificate of ${plan.proxmox.endpoint} is not verified (cluster.proxmox.insecure): whoever can answer in its place gets the API token`,
        ]
      : []),
    ...(plan.k3s.kubeconfigMode === "600"
      ? []
      : [
          `/etc/rancher/k3s/k3s.yaml has mode ${plan.k3s.kubeconfigMode}: it makes more users than root cluster admins on each server`,
        ]),
    ...taintWarnings(plan),
    ...(plan.removal.allowControlPlaneLoss
      ? [
          "cluster.removal.allowControlPlaneLoss is set: replacing the only server loses everything that the cluster knows",
        ]
      : []),
    ...Object.entries(settings.pools).flatMap(([name, pool]) => idleRetirements(name, pool.count, pool.retired)),
  ];
}

function sumWarnings({ version, k3s }: Omit<ClusterPlan, "warnings">): string[] {
  const files = [
    ...(k3s.sumOrigin === "release" ? ["the K3s binary"] : []),
    ...(k3s.airgapImages && k3s.imagesSumOrigin === "release" ? ["the image archive"] : []),
  ];
  if (files.length === 0) return [];
  return [
    `no SHA-256 is known for ${files.join(" and ")} of ${version}: the release's own list is taken, which proves only that the ` +
      `download is whole; \`npm run pin -- ${version}\` records it`,
  ];
}

function taintWarnings({ servers, agents }: Omit<ClusterPlan, "warnings">): string[] {
  const closed = servers.every(({ taints }) => taints.some(({ effect }) => effect !== "PreferNoSchedule"));
  return agents.length === 0 && closed
    ? [
        "there is no agent and every server is tainted: ordinary pods have no node to run on (cluster.k3s.controlPlaneTaint)",
      ]
    : [];
}

/** A retired index above all nodes is right after scaling down, and a slip otherwise. */
function idleRetirements(pool: string, count: number, retired: readonly number[]): string[] {
  const highest = indicesOf(count, retired).at(-1) ?? 0;
  return retired
    .filter((index) => index > highest)
    .map(
      (index) =>
        `cluster.pools.${pool}.retired names ${index}, which is above every node of the pool and retires nothing now`,
    );
}
