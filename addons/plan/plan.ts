import { ConfigError } from "../../config/problems";
import type { Settings } from "../config/schema";
import type { Cluster } from "./cluster";
import { type NamespacePlan, planNamespaces } from "./namespaces";
import { checkNamespaces } from "./rules/namespaces";

/** Everything that the program makes. Components read it and decide nothing. */
export interface AddonsPlan {
  readonly cluster: Cluster;
  /** How long the program waits for a resource, in seconds. */
  readonly timeout: number;
  readonly namespaces: readonly NamespacePlan[];
}

/**
 * What the settings mean on this cluster. Pure.
 * @throws ConfigError with everything that this cluster cannot have
 */
export function planAddons(settings: Settings, cluster: Cluster): AddonsPlan {
  const problems = [...checkNamespaces(settings)];
  if (problems.length > 0) throw new ConfigError(problems);
  return { cluster, timeout: settings.timeout, namespaces: planNamespaces(settings) };
}
