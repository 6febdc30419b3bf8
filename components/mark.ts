import * as pulumi from "@pulumi/pulumi";

/**
 * The mark in a guest's description that makes it ours: `proxmox-k3s project/stack/cluster id`. The id is random and
 * lives in the state, so that two stacks of one name never take each other's guests. It keeps to letters, digits,
 * blanks and `/.-`: Proxmox VE writes other characters of a description percent-encoded into the configuration file.
 */
export function markOf(cluster: string, clusterId: pulumi.Input<string>): pulumi.Output<string> {
  return pulumi.interpolate`proxmox-k3s ${pulumi.getProject()}/${pulumi.getStack()}/${cluster} ${clusterId}`;
}
