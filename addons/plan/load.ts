import { ConfigError, type Problem } from "../../config/problems";
import { readAddons } from "../config/read";
import type { Draft, Settings } from "../config/schema";
import { checkFlux } from "./rules/flux";
import { checkIngress } from "./rules/ingress";
import { checkNamespaces } from "./rules/namespaces";

export { ConfigError, type Problem } from "../../config/problems";

/**
 * Reads the settings, and makes all checks that need no cluster. Pure.
 * @param raw the object under `proxmox-k3s-addons:addons`
 * @param check finds more problems in the sections that have the right shape
 * @throws ConfigError with all problems, not only the first
 */
export function loadSettings(raw: unknown, check: (draft: Draft) => readonly Problem[] = () => []): Settings {
  const { draft, problems } = readAddons(raw);
  const all = [...problems, ...checkFlux(draft), ...checkIngress(draft), ...checkNamespaces(draft), ...check(draft)];
  if (all.length > 0) throw new ConfigError(all);
  return draft as Settings; // a draft without problems has every section
}
