/**
 * What K3s needs in a container, as in the recipe that this program replaces (requirements S1). Proxmox VE lets only root@pam
 * set feature flags other than nesting, and no API call sets raw lines. So a script on the Proxmox host writes both. They
 * take effect at the container's next start.
 */

/** Value of the `features:` line. */
export const LXC_FEATURES = "nesting=1,keyctl=1,fuse=1";

/** Raw lines of the container's config, in order: `/dev/kmsg` for the kubelet, and no confinement by the host. */
export const LXC_RAW_LINES: readonly string[] = [
  "lxc.mount.entry: /dev/kmsg dev/kmsg none bind,rw,optional,create=file",
  "lxc.apparmor.profile: unconfined",
  "lxc.cap.drop:",
  "lxc.cgroup2.devices.allow: a",
  "lxc.mount.auto: proc:rw sys:rw",
];

/** The recipe works only in privileged containers: there is no user namespace, so root in the container is root on the host. */
export const LXC_UNPRIVILEGED = false;

/** The warning about what the recipe means for the host's security. */
export function recipeWarning(proxmoxNode: string): string {
  return (
    `the containers are privileged, unconfined and may use every device: root in a container, or in a privileged pod in it, ` +
    `is root on the Proxmox node ${proxmoxNode}, so run only workloads there that you would trust with the host itself`
  );
}
