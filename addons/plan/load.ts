import { ConfigError } from "../../config/problems";
import { readAddons } from "../config/read";
import type { Settings } from "../config/schema";
import { checkIngress } from "./rules/ingress";
import { checkNamespaces } from "./rules/namespaces";

export { ConfigError, type Problem } from "../../config/problems";

/**
 * Reads and checks what needs no cluster. Pure.
 * @param raw the object under `proxmox-k3s-addons:addons`
 * @throws ConfigError with all problems, not only the first
 */
export function loadSettings(raw: unknown): Settings {
  const { draft, problems } = readAddons(raw);
  const all = [...problems, ...checkIngress(draft), ...checkNamespaces(draft)];
  if (all.length > 0) throw new ConfigError(all);
  return draft as Settings; // a draft without problems has every section
}
