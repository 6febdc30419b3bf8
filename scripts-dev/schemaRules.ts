import { K3S_OPTIONS, OWNED_KEYS, SECRET_KEYS } from "../config/k3sOptions";
import { VMIDS } from "../config/sections/nodeKeys";
import { MODERN } from "../config/sshKeys";
import { LABEL_KEY, LABEL_VALUE, ROLE_PREFIX } from "../plan/rules/labels";
import { NARROWEST_SERVICE_PREFIX, WIDEST_SERVICE_PREFIX } from "../plan/rules/network";
import { MANAGED_TAINT } from "../plan/rules/taints";
import { TAINT } from "../plan/taints";

type Json = Record<string, unknown>;

const vmId = { minimum: VMIDS.least, maximum: VMIDS.most };
const labels = {
  propertyNames: { allOf: [{ pattern: LABEL_KEY.source }, { not: { pattern: `^${ROLE_PREFIX}/` } }] },
  additionalProperties: { anyOf: [{ type: "string", pattern: LABEL_VALUE.source }, { type: ["boolean", "integer"] }] },
};
const options = (role: "server" | "agent"): Json => {
  const taken = [OWNED_KEYS, SECRET_KEYS].flatMap((keys) => Object.keys(keys));
  return { propertyNames: { enum: K3S_OPTIONS[role].filter((name) => !taken.includes(name)) } };
};

/** A network whose prefix is within bounds. */
function prefix(least: number, most: number): Json {
  const lengths = Array.from({ length: most - least + 1 }, (_, at) => least + at);
  return { pattern: `/(?:${lengths.join("|")})$` };
}

/**
 * Rules of the plan about a single value, as far as a JSON schema can express them, by the value's path below `cluster`
 * (`*` for free names). The config's own schema does not have them, because the rules give better messages.
 */
export const SCHEMA_RULES: Readonly<Record<string, Json>> = {
  "network.cidr": prefix(0, 30),
  "network.podCidr": prefix(0, 24),
  "network.serviceCidr": prefix(WIDEST_SERVICE_PREFIX, NARROWEST_SERVICE_PREFIX),
  "ssh.authorizedKeys": { contains: { pattern: MODERN } },
  "k3s.serverConfig": options("server"),
  "k3s.agentConfig": options("agent"),
  "pools.*.vmIds": { properties: { from: vmId }, items: vmId },
  "pools.*.retired": { uniqueItems: true },
  "pools.*.labels": labels,
  "pools.*.nodes.*.labels": labels,
  "pools.*.taints": { items: { allOf: [{ pattern: TAINT.source }, { not: { pattern: MANAGED_TAINT.source } }] } },
};
