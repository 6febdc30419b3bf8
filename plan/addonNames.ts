/** Names that the program `addons/` uses in the cluster. It is a separate project, so a test compares the names with it. */

/** The label `app.kubernetes.io/managed-by` of all its objects. */
export const ADDONS_OWNER = "proxmox-k3s-addons";

/** The prefix of what Flux applies for a node. */
const NODE_PREFIX = "node-";
export const nodeKustomizationName = (node: string): string => `${NODE_PREFIX}${node}`;
/** The node that such a name is for; undefined for another name. */
export const nodeOfKustomization = (name: string): string | undefined =>
  name.startsWith(NODE_PREFIX) ? name.slice(NODE_PREFIX.length) : undefined;
