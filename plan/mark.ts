/**
 * The mark in a guest's description that makes it ours: `proxmox-k3s project/stack/cluster id`. The id is random and
 * lives in the state, so that two stacks of one name never take each other's guests. It keeps to letters, digits,
 * blanks and `/.-`: Proxmox VE writes other characters of a description percent-encoded into the configuration file.
 */
export function markText(of: {
  readonly project: string;
  readonly stack: string;
  readonly cluster: string;
  /** The anchor's random id. */
  readonly clusterId: string;
}): string {
  return `proxmox-k3s ${of.project}/${of.stack}/${of.cluster} ${of.clusterId}`;
}

/** The number of a guest's creation; empty where the description has none, as a stranger's. */
export function creationOf(description: string): string {
  return /^creation ([0-9a-f]{16}) of /m.exec(description)?.[1] ?? "";
}
