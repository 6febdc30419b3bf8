import type { ClusterPlan } from "../../plan/model";
import {
  DOWNLOAD_ROLE,
  HOST_ROLE,
  IMAGE_ROLE,
  POOL_ROLE,
  type Role,
  rolesOf,
  STORAGE_ROLE,
  TEMPLATE_ROLE,
  VM_ROLE,
} from "../../plan/privileges";
import { GATE_FILE } from "../../remote/hostGate";
import type { AdminValues } from "./adminScript";

/** The needs of a plan on the Proxmox host, as values for the administrator's scripts. */

const ROLES: readonly Role[] = [
  ...[POOL_ROLE, HOST_ROLE, VM_ROLE, STORAGE_ROLE],
  ...[TEMPLATE_ROLE, IMAGE_ROLE, DOWNLOAD_ROLE],
];

/** Each cluster has its own user, so its token cannot reach guests of another cluster. */
export const apiUserOf = (name: string): string => `k3s-${name}@pve`;
export const TOKEN = "pulumi";

/**
 * @param publicKey the public half of the program's key for the host, `ssh-ed25519 AAAA…`
 * @param download a template that is to be downloaded, `<storage>:vztmpl/<file>`
 */
export function makeValues(plan: ClusterPlan, publicKey: string, download?: string): AdminValues["make"] {
  // A plan's roles may leave out privileges that its token has at `/` already. Here the roles are complete.
  const complete = ({ name, privileges }: Role): readonly string[] =>
    ROLES.find((role) => role.name === name)?.privileges ?? privileges;
  const grants = rolesOf(plan).map(({ role, path }) => `${path} ${role.name} ${complete(role).join(",")}`);
  return {
    CLUSTER: plan.name,
    POOL: plan.proxmox.resourcePool,
    API_USER: apiUserOf(plan.name),
    GRANTS: grants.join("\n"),
    TEMPLATE: download === undefined ? "" : download.replace(":vztmpl/", " "),
    GATE_FILE,
    HOST_KEY: publicKey.split(" ").slice(0, 2).join(" "),
  };
}

/** @param hasSecret whether the stack has the secret of this token */
export const tokenValues = ({ name, proxmox }: ClusterPlan, hasSecret = false): AdminValues["token"] => ({
  ...{ CLUSTER: name, POOL: proxmox.resourcePool, API_USER: apiUserOf(name), TOKEN },
  HAS_SECRET: hasSecret ? "yes" : "no",
});

/** The container templates that a plan needs and the host does not have. */
export const missingTemplates = ({ nodes }: ClusterPlan, there: readonly string[]): string[] => [
  ...new Set(nodes.flatMap((node) => (node.kind === "lxc" && !there.includes(node.template) ? [node.template] : []))),
];
