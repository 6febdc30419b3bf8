import { clusterNetworks } from "../plan/network";
import { isNixos, type NodePlan } from "../plan/model";
import { k3sConfig } from "../plan/render/k3sConfig";
import { nixosModuleSum } from "../plan/render/nixosModule";
import { registriesYaml } from "../plan/render/registries";
import { stepName } from "../plan/steps";
import type { RemoteScriptArgs } from "../remote/RemoteScript";
import { ARTIFACTS_FOLDER, type ReleaseSums } from "./artifacts";
import type { ClusterContext } from "./ClusterContext";

/**
 * The script that installs K3s on a node; it depends on the operating system. The state records the same arguments for every
 * system.
 */
export function installation(
  node: NodePlan,
  { plan, former, repairs }: ClusterContext,
  sums: ReleaseSums,
): Pick<RemoteScriptArgs, "task" | "args" | "inputs"> {
  const recorded = former.get(node.name);
  const identity = { ROLE: node.role, VERSION: plan.version, NAME: node.name, ARCH: plan.arch };
  const options = {
    CONFIG: k3sConfig(node, plan, recorded),
    REGISTRIES: plan.k3s.registries === undefined ? "" : registriesYaml(plan.k3s.registries),
    NETWORKS: clusterNetworks(plan.network),
    START_TIMEOUT: plan.k3s.startTimeoutSeconds,
    REPAIRS: repairs(stepName(node.name, "k3s")),
  };
  if (isNixos(node)) {
    // The step that builds the system has the whole module. Here the sum is enough: an error of this step repeats its arguments.
    const module = { MODULE_SHA256: nixosModuleSum(node, plan, recorded) };
    return { task: "nixos-k3s", args: { ...identity, ...options, ...module } };
  }
  return {
    task: "install-k3s",
    args: { ...identity, FROM: ARTIFACTS_FOLDER, IMAGES: plan.k3s.airgapImages ? "yes" : "no", ...options },
    inputs: { SHA256: sums.binary, IMAGES_SHA256: sums.images },
  };
}
