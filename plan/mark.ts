/**
 * The mark in the description of a cluster's guests: `proxmox-k3s project/stack/cluster id`. The id is random and is kept in
 * the state, so two stacks with the same name never take each other's guests. The mark has only letters, digits, blanks and
 * `/.-`, because Proxmox VE percent-encodes other characters of a description in the configuration file.
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

/** The anchor's random id in a mark. */
export function clusterIdOf(mark: string): string {
  return mark.slice(mark.lastIndexOf(" ") + 1);
}

/** The description of a guest: the id of its creation, and the mark. */
export const descriptionOf = (creation: string, mark: string): string => `creation ${creation} of ${mark}`;

/** The id of a guest's creation; empty if the description has none, as in a guest that is not ours. */
export function creationOf(description: string): string {
  return /^creation ([0-9a-f]{16}) of /m.exec(description)?.[1] ?? "";
}
