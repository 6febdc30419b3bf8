import type { ClusterPlan } from "./model";
import { planCluster } from "./plan";
import { repositoryPins, type Pins } from "./pins";
import { ConfigError } from "../config/problems";
import type { Settings } from "../config/schema";
import { readShape } from "../config/shape";
import { validate } from "./validate";

export { ConfigError, type Problem } from "../config/problems";

/**
 * Reads, checks and plans the cluster. Pure.
 * @param raw the object under `proxmox-k3s:cluster`
 * @param pins recorded SHA-256 sums, by default the repo's
 * @throws ConfigError with all problems, not only the first
 */
export function loadPlan(raw: unknown, pins: Pins = repositoryPins): ClusterPlan {
  const { draft, problems } = readShape(raw);
  const all = [...problems, ...validate(draft, pins)];
  if (all.length > 0) throw new ConfigError(all);
  return planCluster(draft as Settings, pins); // a draft without problems has every section
}
