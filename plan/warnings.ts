import { ownCommand } from "../config/ownCommand";
import { indicesOf } from "./allocate";
import { recipeWarning } from "./lxcProfile";
import type { ClusterPlan, Warning } from "./model";
import type { Settings } from "../config/schema";
import { versionWarning } from "./versions";

type Unwarned = Omit<ClusterPlan, "warnings">;

/** Warnings about a valid plan, for the preview. Pure: no clock. */
export function planWarnings(plan: Unwarned, settings: Settings): Warning[] {
  return [
    ...(plan.nodes.some(({ kind }) => kind === "lxc")
      ? [{ text: recipeWarning(plan.proxmox.node), about: "new nodes" as const }]
      : []),
    ...versionWarning(plan.version).map((text) => ({ path: "cluster.version", text, about: "a new release" as const })),
    ...sumWarnings(plan),
    ...insecureWarnings(plan),
    ...modeWarnings(plan),
    ...registryWarnings(plan),
    ...taintWarnings(plan),
    ...lossWarnings(plan),
    ...Object.entries(settings.pools).flatMap(([name, pool]) => idleRetirements(name, pool.count, pool.retired)),
  ];
}

function sumWarnings({ version, k3s }: Unwarned): Warning[] {
  const files = [
    ...(k3s.sumOrigin === "release" ? ["the K3s binary"] : []),
    ...(k3s.airgapImages && k3s.imagesSumOrigin === "release" ? ["the image archive"] : []),
  ];
  if (files.length === 0) return [];
  const text =
    `no SHA-256 is recorded for ${files.join(" and ")} of ${version}: the release's own list is used, which proves only that the ` +
    `download is complete; \`${ownCommand(`pin ${version}`)}\` records it`;
  return [{ path: "cluster.k3s.artifacts", text, about: "a new release" }];
}

function insecureWarnings({ proxmox }: Unwarned): Warning[] {
  if (!proxmox.insecure) return [];
  const path = "cluster.proxmox.insecure";
  const text = `the TLS certificate of ${proxmox.endpoint} is not verified (${path}): anybody who can answer in its place gets the API token`;
  return [{ path, text }];
}

function modeWarnings({ k3s: { kubeconfigMode: mode } }: Unwarned): Warning[] {
  if (mode === "600") return [];
  const text = `/etc/rancher/k3s/k3s.yaml has mode ${mode}: users other than root can read it, and are cluster admins then, on each server`;
  return [{ path: "cluster.k3s.kubeconfigMode", text }];
}

function registryWarnings({ k3s: { registries } }: Unwarned): Warning[] {
  if (registries === undefined) return [];
  const plain = new Set(
    Object.values(registries.mirrors)
      .flatMap(({ endpoints }) => endpoints)
      .filter((endpoint) => endpoint.startsWith("http:"))
      .map((endpoint) => new URL(endpoint).host),
  );
  return Object.entries(registries.configs).flatMap(([registry, { auth, insecureSkipVerify }]) => {
    const path = `cluster.k3s.registries.configs.${registry}`;
    const mitm = "anybody who can answer in its place gives the nodes other images";
    return [
      ...(insecureSkipVerify
        ? [
            {
              path: `${path}.tls.insecureSkipVerify`,
              text: `the TLS certificate of ${registry} is not verified (${path}.tls.insecureSkipVerify): ${mitm}${auth ? ", and gets the password" : ""}`,
            },
          ]
        : []),
      ...(auth && plain.has(registry)
        ? [
            {
              path: `${path}.auth`,
              text: `the nodes send the password for ${registry} over http: anybody on the network path can read it`,
            },
          ]
        : []),
    ];
  });
}

function taintWarnings({ servers, agents }: Unwarned): Warning[] {
  const closed = servers.every(({ taints }) => taints.some(({ effect }) => effect !== "PreferNoSchedule"));
  if (agents.length > 0 || !closed) return [];
  const path = "cluster.k3s.controlPlaneTaint";
  const text = `there is no agent and every server is tainted: ordinary pods have no node to run on (${path})`;
  return [{ path, text }];
}

function lossWarnings({ removal }: Unwarned): Warning[] {
  if (!removal.allowControlPlaneLoss) return [];
  const path = "cluster.removal.allowControlPlaneLoss";
  return [{ path, text: `${path} is set: replacing the only server deletes everything that is stored in the cluster` }];
}

/** A retired index above all nodes is normal after scaling down. Otherwise it is probably a mistake. */
function idleRetirements(pool: string, count: number, retired: readonly number[]): Warning[] {
  const highest = indicesOf(count, retired).at(-1) ?? 0;
  const path = `cluster.pools.${pool}.retired`;
  return retired
    .filter((index) => index > highest)
    .map((index) => ({
      path,
      text: `${path} names ${index}, which is above the index of every node in the pool, so it has no effect now`,
    }));
}
