/**
 * Snapshotters of containerd that work on every file system. K3s' default, overlayfs, does not work on ZFS. The checks of the
 * Proxmox host's storages and a script on the node both use this list.
 */
export const SNAPSHOTTERS_FOR_ZFS: readonly string[] = ["native", "fuse-overlayfs"];
