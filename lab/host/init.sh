#!/bin/sh
# First process of a lab, in its own mount, network, PID, UTS and IPC namespaces: makes the Proxmox host's root file
# system and network, then becomes the host's init. Everything of the lab ends with this process.
#
# LAB_STATE     state folder            LAB_IMAGE     the Proxmox host's root file system, read-only
# LAB_REPO      the project             LAB_NODE      node binary
# LAB_TEMPLATE  the guests' template    LAB_ARTIFACTS K3s artifact folder
# LAB_VM_IMAGE  the image of virtual machines, if the host runs some
# LAB_REGISTRY  docker-registry, if the host runs one
# LAB_NAME      the lab's name          LAB_ADDRESS   the Proxmox host's address      LAB_UPLINK  link to the machine
set -eu

# Leave the caller's cgroups: LXC makes a container's cgroup below those of its caller, and the lab has its own.
# 0 is the process that writes.
for procs in /sys/fs/cgroup/cgroup.procs /sys/fs/cgroup/*/cgroup.procs; do
  if [ -e "$procs" ]; then echo 0 >"$procs"; fi
done

root=$LAB_STATE/host/root
mount -t overlay -o "lowerdir=$LAB_IMAGE,upperdir=$LAB_STATE/host/upper,workdir=$LAB_STATE/host/work" lab "$root"

bind() { # bind SOURCE TARGET [OPTION]: makes TARGET if it is missing, a folder or a file as SOURCE
  if [ -d "$1" ]; then mkdir -p "$root$2"; else mkdir -p "$root${2%/*}" && touch "$root$2"; fi
  mount --bind "$1" "$root$2"
  if [ -n "${3:-}" ]; then mount -o "remount,bind,$3" "$root$2"; fi
}
bind "$LAB_STATE/etc-pve" /etc/pve
bind "$LAB_STATE/logs" /var/log/lab
bind "$LAB_STATE/faults" /var/lib/pve-api/faults
# Not on the overlay: containerd's own overlays, inside the guests, need a plain file system below them.
bind "$LAB_STATE/lxc" /var/lib/lxc
if [ -n "${LAB_VM_IMAGE:-}" ]; then
  mkdir -p "$LAB_STATE/vms"
  bind "$LAB_STATE/vms" /var/lib/vms
  bind "$LAB_VM_IMAGE" "/var/lib/vz/import/$LAB_VM_IMAGE_NAME" ro
fi
if [ -n "${LAB_REGISTRY:-}" ]; then
  mkdir -p "$LAB_STATE/registry"
  bind "$LAB_STATE/registry" /var/lib/docker-registry
  bind "$LAB_REGISTRY" /usr/local/bin/docker-registry ro
fi
bind "$LAB_REPO" /opt/lab ro
bind "$LAB_NODE" /usr/local/bin/node ro
bind "$LAB_TEMPLATE" "/var/lib/vz/template/cache/$LAB_TEMPLATE_NAME" ro
bind "$LAB_ARTIFACTS" /srv/artifacts/k3s ro

mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
# sysfs shows the network namespace in which it was mounted; LXC reads bridges there. The cgroup tree is the machine's.
mount -t sysfs -o nosuid,nodev,noexec sysfs "$root/sys"
mount --rbind /sys/fs/cgroup "$root/sys/fs/cgroup"
# Its own /dev, so that a mistake there removes nothing of the machine's. The device nodes are copies of the machine's.
mount -t tmpfs -o nosuid,mode=0755 tmpfs "$root/dev"
mkdir -p "$root/dev/pts" "$root/dev/shm" "$root/dev/net"
for device in null zero full random urandom tty kmsg fuse net/tun; do
  if [ -c "/dev/$device" ]; then cp -a "/dev/$device" "$root/dev/$device"; fi
done
ln -s pts/ptmx "$root/dev/ptmx"
for link in fd:/proc/self/fd stdin:/proc/self/fd/0 stdout:/proc/self/fd/1 stderr:/proc/self/fd/2; do
  ln -s "${link#*:}" "$root/dev/${link%%:*}"
done
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620,gid=5 devpts "$root/dev/pts"
mount -t tmpfs -o nosuid,nodev tmpfs "$root/dev/shm"
mount -t tmpfs -o nosuid,nodev,mode=0755 tmpfs "$root/run"
mkdir -p "$root/run/lock" "$root/run/sshd"
mkdir -p "$root/tmp" && chmod 1777 "$root/tmp"

cd "$root"
mkdir -p mnt
pivot_root . mnt
umount -l /mnt
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH HOME=/root

hostname pve
grep -qx 'Package: pve-manager' /var/lib/dpkg/status || cat /usr/share/lab/dpkg-status >>/var/lib/dpkg/status
ip link set lo up
ip link add vmbr0 type bridge
# A fixed MAC address: otherwise the bridge takes the lowest one of its ports. That changes when a guest starts or stops, and
# then clients cannot reach the host for a minute.
ip link set vmbr0 address "$(cat /sys/class/net/vmbr0/address)"
ip address add "$LAB_ADDRESS/24" dev vmbr0
ip link set vmbr0 up
# The README asks for this on a Proxmox host. This network namespace has no route out to forward to.
echo 1 >/proc/sys/net/ipv4/ip_forward
# The machine moves one end of the link into this namespace as soon as it knows this process.
waited=0
until ip link show "$LAB_UPLINK" >/dev/null 2>&1; do
  [ "$waited" -lt 100 ] || { echo "the link $LAB_UPLINK did not appear" >&2; exit 1; }
  waited=$((waited + 1))
  sleep 0.1
done
ip link set "$LAB_UPLINK" master vmbr0 up

cd /opt/lab
# tini, because process 1 inherits containers and sessions when their parent ends, and Node reaps only its own children.
exec tini -- node --import tsx lab/host/supervisor.ts
