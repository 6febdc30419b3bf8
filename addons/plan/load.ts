import { ConfigError } from "../../config/problems";
import { readAddons } from "../config/read";
import type { Settings } from "../config/schema";

export { ConfigError, type Problem } from "../../config/problems";

/**
 * Reads and checks what needs no cluster. Pure.
 * @param raw the object under `proxmox-k3s-addons:addons`
 * @throws ConfigError with all problems, not only the first
 */
export function loadSettings(raw: unknown): Settings {
  const { draft, problems } = readAddons(raw);
  if (problems.length > 0) throw new ConfigError(problems);
  return draft as Settings; // a draft without problems has every section
}
