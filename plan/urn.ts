/** Name of a resource, by its URN in Pulumi's state. */
export const nameOf = (urn: string): string => urn.slice(urn.lastIndexOf("::") + 2);

/** Type of a step that runs by SSH. */
export const COMMAND_TYPE = "command:remote:Command";

/** Type of a cluster's anchor, the resource that has its random id. */
export const ANCHOR_TYPE = "random:index/randomId:RandomId";
