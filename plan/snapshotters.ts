/**
 * Snapshotters of containerd that work on every file system, also on ZFS, where K3s' default, overlayfs, does not. The plan asks
 * the Proxmox host about storages by this list, and the script on a node finds it in a file.
 */
export const SNAPSHOTTERS_FOR_ZFS: readonly string[] = ["native", "fuse-overlayfs"];
