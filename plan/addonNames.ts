/* Names by which the program `addons/` is known in the cluster. It is a project of its own, so a test holds them to it. */

/** The label `app.kubernetes.io/managed-by` of all its objects. */
export const ADDONS_OWNER = "proxmox-k3s-addons";

/** What Flux applies for a node. */
const NODE_PREFIX = "node-";
export const nodeKustomizationName = (node: string): string => `${NODE_PREFIX}${node}`;
/** The node of such a name; undefined for another name. */
export const nodeOfKustomization = (name: string): string | undefined =>
  name.startsWith(NODE_PREFIX) ? name.slice(NODE_PREFIX.length) : undefined;
